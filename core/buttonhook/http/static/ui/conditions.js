// The form of a job hook or button as one edits: rows come and go without leaving the page, and what stands beside the
// form (a try-out, a preview) follows. The daemon draws both; here they are put in place.
import { toast } from "./parts.js";
import { followOptions } from "./options.js";
import { writeTimes } from "./times.js";

const WAIT_MS = 300;

function follow(form) {
  let timer = 0;
  let latest = null;
  let shaping = 0;
  let queue = Promise.resolve();

  async function ask(act, shapes) {
    clearTimeout(timer);
    latest?.abort();
    const mine = latest = new AbortController();
    const fields = new URLSearchParams(new FormData(form));
    fields.set("do", act);
    const beside = document.getElementById("beside");
    beside.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields, headers: { "X-Fragment": "1" }, signal: mine.signal });
      if (answer.status === 401) { location.reload(); return; }
      const made = document.createElement("template");
      made.innerHTML = await answer.text();
      if (!answer.ok) { toast(made.content.textContent.trim().replace(/\s+/g, " ") || "It could not be tried."); return; }
      if (shapes) {
        putConditions(form, made.content.getElementById("conditions"), act, fields);
        putInserts(made.content.getElementById("inserts"));
      }
      putBeside(made.content.getElementById("beside"));
    } catch (error) {
      if (error.name !== "AbortError") toast("The daemon did not answer.");
    } finally {
      if (latest === mine) document.getElementById("beside").removeAttribute("aria-busy");
    }
  }

  // On the document: a field of the form may stand beside it.
  document.addEventListener("click", (event) => {
    const button = event.target.closest('button[name="do"]');
    if (button?.form !== form || button.value === "save") return;
    event.preventDefault();
    shape(button.value);
  });
  document.addEventListener("change", (event) => {
    if (event.target.form !== form ) return;
    const shapes = Boolean(event.target.closest("[data-shapes]"));
    if (shapes) shape("show");
    else later(0);
  });
  document.addEventListener("input", (event) => {
    if (event.target.form === form && event.target.matches("input:not([type=checkbox]), textarea") ) later(WAIT_MS);
  });
  // One after the other: each is made from what the one before left.
  function shape(act) {
    shaping += 1;
    queue = queue.then(() => ask(act, true)).finally(() => { shaping -= 1; });
  }
  function later(wait) {
    clearTimeout(timer);
    timer = setTimeout(() => (shaping ? queue.then(() => later(WAIT_MS)) : ask("try", false)), wait);
  }
  for (const each of document.querySelectorAll(`button[form="${form.id}"][value="try"]`)) each.hidden = true;
  for (const each of document.querySelectorAll("[data-inserts]")) followInserts(each);
  followEditor(form);
}

// A field of the object goes to where one types.
function followInserts(place) {
  const input = document.getElementById(place.dataset.inserts);
  place.hidden = place.childElementCount === 0;
  place.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-insert]");
    if (!chosen) return;
    input.setRangeText(chosen.dataset.insert, input.selectionStart, input.selectionEnd, "end");
    input.focus();
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

function followEditor(root) {
  for (const each of root.querySelectorAll("[data-plain]")) each.hidden = true;
}

function putInserts(fresh) {
  const old = document.getElementById("inserts");
  if (!old || !fresh) return;
  old.replaceChildren(...fresh.childNodes);
  old.hidden = old.childElementCount === 0;
}

// The focus stays where it was, or goes to what an added row asks first.
function putConditions(form, fresh, act, sent) {
  const old = document.getElementById("conditions");
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const known = new Set([...old.querySelectorAll(".condition")].map((each) => each.id));
  for (const each of old.querySelectorAll("input:not([type=hidden]), select, textarea")) keepMeanwhile(each, fresh, sent);
  old.replaceWith(fresh);
  followEditor(fresh);
  followOptions(fresh);
  if (act.startsWith("add.")) {
    const added = [...fresh.querySelectorAll(".condition")].find((each) => !known.has(each.id));
    added?.querySelector(".values select, .values input:not([type=hidden]), .values textarea")?.focus();
  } else if (focused) {
    const named = `[name="${CSS.escape(focused.name)}"]`;
    const same = focused.id ? document.getElementById(focused.id) : fresh.querySelector(focused.matches("button") ? `${named}[value="${CSS.escape(focused.value)}"]` : named);
    const row = document.getElementById(focused.closest(".condition")?.id ?? "");
    (same ?? row?.querySelector(".condition-acts button") ?? fresh.querySelector('[value^="add."]')).focus();
  }
}

// What was typed or chosen after the fields were sent.
function keepMeanwhile(old, fresh, sent) {
  if (old.type === "checkbox") {
    const same = fresh.querySelector(`[name="${CSS.escape(old.name)}"][value="${CSS.escape(old.value)}"]`);
    if (same && old.checked !== sent.getAll(old.name).includes(old.value)) same.checked = old.checked;
    return;
  }
  const same = fresh.querySelector(`[name="${CSS.escape(old.name)}"]`);
  if (same?.tagName === old.tagName && old.value !== (sent.get(old.name) ?? "")) same.value = old.value;
}

// What was folded out stays so.
function putBeside(fresh) {
  const old = document.getElementById("beside");
  const kept = new Map([...old.querySelectorAll("details[data-keep]")].map((each) => [each.dataset.keep, each.open]));
  for (const each of fresh.querySelectorAll("details[data-keep]")) {
    if (kept.has(each.dataset.keep)) each.open = kept.get(each.dataset.keep);
  }
  const told = old.querySelector("[aria-live]");
  const words = fresh.querySelector("[aria-live]");
  if (told && words) {
    if (told.innerHTML !== words.innerHTML) told.replaceChildren(...words.childNodes);
    words.replaceWith(told);
  }
  old.replaceChildren(...fresh.childNodes);
  writeTimes(old);
}

export function followConditions() {
  for (const form of document.querySelectorAll("form[data-editor]")) follow(form);
}
