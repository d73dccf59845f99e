// The first page goes on by itself: when something is committed its parts are fetched anew, at most every two seconds.
import { writeTimes } from "./times.js";

const LEAST_MS = 2000;
const QUIET_MS = 15000;

function lasting(element) {
  const seconds = Math.max(0, Date.now() - Number(element.dataset.since) / 1000) / 1000;
  if (seconds < 100) return `${Math.floor(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function tick(root) {
  for (const each of root.querySelectorAll("[data-since]")) {
    const text = lasting(each);
    if (each.textContent !== text) each.textContent = text;
  }
}

// Takes the parts that changed; what somebody has opened, is pointing at or has in focus is left as it is.
function take(root, text) {
  const made = document.createElement("template");
  made.innerHTML = text;
  for (const part of made.content.querySelectorAll("[id]")) {
    const known = root.querySelector(`#${CSS.escape(part.id)}`);
    const mark = part.innerHTML;
    if (!known || known.mark === mark) continue;
    const isBusy = known.contains(document.activeElement) || known.querySelector("details[open], form:hover, .place:hover");
    if (isBusy && known.mark !== undefined) continue;
    known.innerHTML = mark;
    known.mark = mark;
  }
  writeTimes(root);
  tick(root);
}

export function followDashboard() {
  const root = document.getElementById("now");
  if (!root) return;
  const state = document.querySelector("[data-live-state]");
  let isDirty = false;
  let isAsking = false;
  let asked = Date.now();

  const tell = (word) => {
    state.hidden = false;
    state.dataset.state = word === "live" ? "live" : "away";
    state.querySelector("[data-live-text]").textContent = word;
  };
  const ask = async () => {
    if (isAsking || document.hidden) return;
    isAsking = true;
    isDirty = false;
    asked = Date.now();
    try {
      const answer = await fetch(root.dataset.source, { headers: { "X-Fragment": "1" } });
      if (answer.status === 401) { location.reload(); return; }
      if (answer.ok) take(root, await answer.text());
      tell(answer.ok ? "live" : "waiting for the daemon");
    } catch {
      tell("waiting for the daemon");
    } finally {
      isAsking = false;
    }
  };
  tick(root);
  const feed = new EventSource("/api/notices");
  feed.addEventListener("open", () => tell("live"));
  feed.addEventListener("error", () => tell("waiting for the daemon"));
  feed.addEventListener("notice", () => { isDirty = true; });
  addEventListener("pagehide", () => feed.close());
  setInterval(() => {
    tick(root);
    const since = Date.now() - asked;
    if ((isDirty && since >= LEAST_MS) || since >= QUIET_MS) ask();
  }, 500);
}
