// Pressing without leaving the page: the answer is a group of runs, which is asked for again until all of them ended.
import { toast } from "./parts.js";
import { writeTimes } from "./times.js";

const FIRST_MS = 150;
const LONGEST_MS = 1500;
const FRAGMENT = { "X-Fragment": "1" };

function parsed(text) {
  const made = document.createElement("template");
  made.innerHTML = text;
  return made.content;
}

// Puts what came in place of what is shown, and leaves alone what has not changed.
function take(group, fresh) {
  for (const run of fresh.querySelectorAll(".run")) {
    const known = group.querySelector(`#${CSS.escape(run.id)}`);
    if (!known) { group.append(run); continue; }
    if (known.dataset.mark === run.dataset.mark) continue;
    const log = known.querySelector(".log");
    const atEnd = !log || log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    const focused = known.contains(document.activeElement);
    known.replaceWith(run);
    const grown = run.querySelector(".log");
    if (grown && atEnd) grown.scrollTop = grown.scrollHeight;
    if (focused) run.querySelector("a")?.focus();
  }
  const told = fresh.querySelector("[data-summary]");
  const shown = group.querySelector("[data-summary]");
  if (told && shown && told.textContent !== shown.textContent) shown.replaceWith(told);
  if (fresh.firstElementChild) group.dataset.live = fresh.firstElementChild.dataset.live;
  writeTimes(group);
}

async function follow(group) {
  let wait = FIRST_MS;
  while (group.isConnected && group.dataset.live === "yes") {
    await new Promise((resolve) => setTimeout(resolve, document.hidden ? LONGEST_MS : wait));
    wait = Math.min(wait * 1.25, LONGEST_MS);
    try {
      const answer = await fetch(group.dataset.source, { headers: FRAGMENT });
      if (answer.status === 401) { location.reload(); return; }
      if (answer.ok) take(group, parsed(await answer.text()));
    } catch {
      wait = LONGEST_MS; // the daemon is away: it may come back
    }
  }
}

async function press(form, submitter) {
  const fields = new URLSearchParams(new FormData(form, submitter));
  const action = submitter?.getAttribute("formaction") ?? form.getAttribute("action");
  const buttons = [...form.querySelectorAll("button")];
  for (const each of buttons) each.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(action, { method: "POST", body: fields, headers: FRAGMENT });
    const content = parsed(await answer.text());
    if (!answer.ok) {
      toast(content.textContent.trim().replace(/\s+/g, " ") || "It could not be started.");
      return;
    }
    const group = content.querySelector(".runs");
    const place = document.getElementById("runs");
    place.prepend(group);
    writeTimes(group);
    place.scrollIntoView({ block: "nearest", behavior: "smooth" });
    follow(group);
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
  for (const group of document.querySelectorAll(".runs")) follow(group);
}
