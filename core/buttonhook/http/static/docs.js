// The API's documentation, made from its schema. Text is only ever put in as text.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function resolve(schema, root) {
  if (!schema || !schema.$ref) return schema;
  return schema.$ref.split("/").slice(1).reduce((at, step) => at?.[step.replaceAll("~1", "/")], root);
}

function typeOf(schema, root) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  for (const key of ["oneOf", "anyOf"]) if (schema[key]) return schema[key].map((each) => typeOf(each, root)).join(" or ");
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${typeOf(schema.items, root)}`;
  return Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type || "anything";
}

function fieldsOf(schema, root) {
  const found = resolve(schema, root);
  if (!found || !found.properties) return schema ? element("pre", {}, typeOf(schema, root)) : null;
  const rows = Object.entries(found.properties).map(([name, field]) =>
    element("tr", {}, element("td", {}, element("code", {}, name)),
      element("td", {}, typeOf(field, root) + ((found.required || []).includes(name) ? "" : " (may be left out)")),
      element("td", {}, field.description || "")));
  return element("table", {}, element("tbody", {}, ...rows));
}

// The structs that a struct holds, by name, itself first.
function structsOf(schema, root, found = new Map()) {
  if (!schema || typeof schema !== "object") return found;
  if (schema.$ref && !found.has(schema.$ref)) {
    found.set(schema.$ref, resolve(schema, root));
    structsOf(resolve(schema, root), root, found);
  }
  for (const inner of [...(schema.oneOf || []), ...(schema.anyOf || []), ...Object.values(schema.properties || {})]) {
    structsOf(inner, root, found);
  }
  structsOf(schema.items, root, found);
  return found;
}

function describe(heading, schema, root) {
  const made = [element("h4", {}, `${heading}: ${typeOf(schema, root)}`)];
  const structs = structsOf(schema, root);
  if (!structs.size) return made;
  for (const [reference, struct] of structs) {
    if (structs.size > 1) made.push(element("h5", {}, typeOf({ $ref: reference }, root)));
    made.push(fieldsOf(struct, root));
  }
  return made;
}

function parametersOf(operation, root) {
  const rows = (operation.parameters || []).map((each) => resolve(each, root)).map((each) =>
    element("tr", {}, element("td", {}, element("code", {}, each.name), ` in ${each.in}`),
      element("td", {}, typeOf(each.schema, root)), element("td", {}, each.description || "")));
  return rows.length ? element("table", {}, element("tbody", {}, ...rows)) : null;
}

function contentOf(holder) {
  return Object.values(holder?.content || {})[0]?.schema;
}

function article(path, method, operation, root) {
  const made = element("article", { id: operation.operationId || `${method} ${path}` });
  made.append(
    element("h3", {}, element("span", { class: "method" }, method.toUpperCase()), element("code", {}, path)),
    element("p", {}, operation.summary || ""), element("p", {}, operation.description || ""));
  const parameters = parametersOf(operation, root);
  if (parameters) made.append(element("h4", {}, "Parameters"), parameters);
  const body = contentOf(operation.requestBody);
  if (body) made.append(...describe("Body", body, root));
  const rows = [];
  for (const [status, response] of Object.entries(operation.responses || {})) {
    const schema = contentOf(response);
    rows.push(element("tr", {}, element("td", {}, status), element("td", {}, response.description || ""),
      element("td", {}, typeOf(schema, root))));
    if (status < "300" && schema) made.append(...describe("Answer", schema, root));
  }
  made.append(element("details", {}, element("summary", {}, "All answers"),
    element("table", {}, element("tbody", {}, ...rows))));
  return made;
}

function show(root) {
  document.getElementById("about").textContent = `${root.info.title} ${root.info.version}. ${root.info.description || ""}`;
  const main = document.getElementById("main");
  const list = document.getElementById("list");
  main.replaceChildren();
  for (const [path, item] of Object.entries(root.paths).sort()) {
    for (const method of METHODS.filter((each) => item[each])) {
      const made = article(path, method, item[method], root);
      main.append(made);
      const link = element("a", { href: `#${encodeURIComponent(made.id)}` }, `${method.toUpperCase()} ${path}`);
      list.append(element("li", {}, link));
    }
  }
}

function filter(text) {
  const wanted = text.toLowerCase();
  for (const each of document.querySelectorAll("#main > article, #list > li")) {
    each.hidden = !each.textContent.toLowerCase().includes(wanted);
  }
}

document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
try {
  const answer = await fetch("/api/schema");
  if (!answer.ok) throw new Error((await answer.json()).detail);
  show(await answer.json());
} catch (error) {
  document.getElementById("state").textContent = `The schema could not be loaded: ${error.message}`;
}
