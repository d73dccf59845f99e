// Pressing without leaving the page: the answer is a group of runs, which is followed until all of them have ended. One
// feed tells of all groups of the page; which runs it is about is said anew when a button is pressed.
import { writeClocks } from "./clocks.js";
import { follow } from "./feed.js";
import { toast } from "./parts.js";
import { writeTimes } from "./times.js";

const FRAGMENT = { "X-Fragment": "1" };
const MOST_FOLLOWED = 2000;
const MOST_DETAILED = 20;
const ORDER = ["success", "failure", "refused", "revoked", "retry", "started", "pending"];
const FINAL = new Set(["success", "failure", "revoked", "refused"]);
const SVG = "http://www.w3.org/2000/svg";
let feed = null;

function parsed(text) {
  const made = document.createElement("template");
  made.innerHTML = text;
  return made.content;
}

// --- what is shown --------------------------------------------------------------------------------

function replace(known, run) {
  const log = known.querySelector(".log");
  const isAtEnd = !log || log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
  const focused = known.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const top = log?.scrollTop ?? 0;
  known.replaceWith(run);
  const grown = run.querySelector(".log");
  if (grown) grown.scrollTop = isAtEnd ? grown.scrollHeight : top;
  if (focused) run.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  writeTimes(run);
}

function take(text) {
  const groups = new Set();
  for (const run of parsed(text).querySelectorAll(".run")) {
    const known = document.getElementById(run.id);
    if (!known || known.dataset.mark === run.dataset.mark) continue;
    groups.add(known.closest(".runs"));
    replace(known, run);
  }
  writeClocks();
  for (const each of groups) summarize(each);
}

function counted(group) {
  const counts = new Map(ORDER.map((each) => [each, 0]));
  for (const run of group.querySelectorAll(".run")) counts.set(run.dataset.status, counts.get(run.dataset.status) + 1);
  return [...counts].filter(([, count]) => count);
}

// How many stand how, in words, as a bar, and as buttons that show one kind alone.
function summarize(group) {
  const told = group.querySelector("[data-told]");
  if (!told) return;
  const counts = counted(group);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const ended = counts.reduce((sum, [status, count]) => sum + (FINAL.has(status) ? count : 0), 0);
  const text = ended === total ? `All ${total.toLocaleString()} have ended` : `${ended.toLocaleString()} of ${total.toLocaleString()} have ended`;
  if (told.textContent !== text) told.textContent = text;
  const bar = group.querySelector("[data-bar]");
  let left = 0;
  bar.replaceChildren(...counts.map(([status, count]) => {
    const part = document.createElementNS(SVG, "rect");
    const width = (1000 * count) / total;
    for (const [name, value] of Object.entries({ x: left, y: 0, width, height: 10, class: `part-${status}` })) part.setAttribute(name, value);
    left += width;
    return part;
  }));
  showKinds(group, counts);
}

function showKinds(group, counts) {
  const place = group.querySelector("[data-only-acts]");
  place.hidden = counts.length < 2 && !group.dataset.only;
  const known = new Map([...place.children].map((each) => [each.dataset.kind, each]));
  for (const [status, count] of counts) {
    const button = known.get(status) ?? document.createElement("button");
    known.delete(status);
    if (!button.parentNode) {
      button.type = "button";
      button.dataset.kind = status;
      button.className = `run-kind badge badge-${status}`;
      button.setAttribute("aria-pressed", "false");
      place.append(button);
    }
    const text = `${count.toLocaleString()} ${status === "refused" ? "not pressed" : status}`;
    if (button.textContent !== text) button.textContent = text;
  }
  for (const gone of known.values()) gone.remove();
}

function showOnly(button) {
  const group = button.closest(".runs");
  const isOn = group.dataset.only !== button.dataset.kind;
  if (isOn) group.dataset.only = button.dataset.kind;
  else delete group.dataset.only;
  for (const each of group.querySelectorAll(".run-kind")) each.setAttribute("aria-pressed", String(isOn && each === button));
}

// --- following ------------------------------------------------------------------------------------

// Numbers as the daemon reads them: what follows on each other as a span.
function spans(numbers) {
  const found = [];
  for (const each of numbers.toSorted((a, b) => a - b)) {
    const last = found.at(-1);
    if (last && each === last[1] + 1) last[1] = each;
    else found.push([each, each]);
  }
  return found.map(([low, high]) => (low === high ? low : `${low}-${high}`)).join(".");
}

function followOpen() {
  feed?.stop();
  feed = null;
  const open = [...document.querySelectorAll(".runs .run[data-number]")].filter((each) => !FINAL.has(each.dataset.status));
  if (!open.length) return;
  const followed = open.slice(0, MOST_FOLLOWED);
  const numbers = followed.map((each) => Number(each.dataset.number));
  const detailed = followed.filter((each) => !each.matches(".run-row")).map((each) => Number(each.dataset.number));
  feed = follow({
    address: `/runs/feed?numbers=${spans(numbers)}&detailed=${spans(detailed.slice(0, MOST_DETAILED))}`,
    kinds: { runs: (text) => take(JSON.parse(text)) },
  });
}

// A group that is to come: its runs are asked for once.
async function fill(group) {
  const answer = await fetch(group.dataset.source, { headers: FRAGMENT });
  if (!answer.ok) return;
  const fresh = parsed(await answer.text()).querySelector(".runs");
  if (!fresh?.querySelector(".run")) {
    group.remove();
    return;
  }
  group.replaceWith(fresh);
  begin(fresh);
}

function begin(group) {
  writeTimes(group);
  writeClocks();
  summarize(group);
  followOpen();
}

// --- pressing -------------------------------------------------------------------------------------

async function press(form, submitter) {
  const fields = new URLSearchParams(new FormData(form, submitter));
  const action = submitter?.getAttribute("formaction") ?? form.getAttribute("action");
  const buttons = [...form.querySelectorAll("button")];
  for (const each of buttons) each.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(action, { method: "POST", body: fields, headers: FRAGMENT });
    const content = parsed(await answer.text());
    if (answer.status === 401) {
      location.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
      return;
    }
    const group = content.querySelector(".runs");
    if (!answer.ok || !group) {
      toast(content.textContent.trim().replace(/\s+/g, " ") || "It could not be started.");
      return;
    }
    const place = document.getElementById("runs");
    place.prepend(group);
    begin(group);
    place.scrollIntoView({ block: "nearest", behavior: "smooth" });
  } catch {
    toast("The daemon did not answer. Look at the job results before you press again.");
  } finally {
    for (const each of buttons) each.removeAttribute("aria-busy");
  }
}

export function followRuns() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const pressed = event.submitter?.hasAttribute("data-press") || form.hasAttribute("data-press");
    if (!pressed || !document.getElementById("runs")) return;
    event.preventDefault();
    if (form.querySelector('button[aria-busy="true"]')) return;
    form.closest("dialog")?.close();
    document.getElementById(event.submitter?.dataset.within ?? "")?.close();
    press(form, event.submitter);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".run-kind");
    if (button) showOnly(button);
  });
  for (const group of document.querySelectorAll(".runs[data-source]")) fill(group);
  for (const group of document.querySelectorAll(".runs[data-live-runs]")) begin(group);
}
