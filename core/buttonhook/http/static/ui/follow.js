// Parts of a page that are drawn anew when something happened: <div data-follow="/changes/new?after=5">.
// What the address answers is put in place of what the element holds, unless its data-mark is the same.
// One feed of notices a page, closed while nobody looks: browsers open few connections to one server.
import { writeTimes } from "./times.js";

const LEAST_MS = 700;
const listeners = new Set();
let source = null;

function tell(notice) {
  for (const each of listeners) each(notice);
}

function listen() {
  if (source || document.hidden || !listeners.size) return;
  source = new EventSource("/api/notices");
  source.addEventListener("open", () => tell(null));
  source.addEventListener("notice", (event) => tell(JSON.parse(event.data)));
  source.addEventListener("end", (event) => {
    if (JSON.parse(event.data).reason === "logged-out") { stop(); location.reload(); }
  });
}

function stop() {
  source?.close();
  source = null;
}

// Calls back with each notice, and with null when some may have been missed. Returns what ends it.
export function onNotice(callback) {
  listeners.add(callback);
  listen();
  return () => {
    listeners.delete(callback);
    if (!listeners.size) stop();
  };
}

export function parsed(text) {
  const made = document.createElement("template");
  made.innerHTML = text;
  return made.content;
}

function take(place, content) {
  const fresh = content.firstElementChild;
  const shown = place.firstElementChild;
  if (!fresh || (shown && fresh.dataset.mark === shown.dataset.mark)) return;
  const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") ?? document.activeElement.id : null;
  place.replaceChildren(fresh);
  writeTimes(place);
  if (focused) [...place.querySelectorAll("[href], [id]")].find((each) => each.getAttribute("href") === focused || each.id === focused)?.focus();
}

function follow(place) {
  let timer = 0;
  let asked = 0;
  async function refresh() {
    timer = 0;
    asked = Date.now();
    try {
      const answer = await fetch(place.dataset.follow, { headers: { "X-Fragment": "1" } });
      if (answer.ok) take(place, parsed(await answer.text()));
      if (place.querySelector(":scope > [data-live='no']")) end();
    } catch {
      // the daemon is away: the feed tells when it is back
    }
  }
  const end = onNotice(() => {
    if (!timer) timer = setTimeout(refresh, Math.max(0, asked + LEAST_MS - Date.now()));
  });
}

export function followParts() {
  for (const each of document.querySelectorAll("[data-follow]")) follow(each);
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
  window.addEventListener("pagehide", stop);
}

// A choice that is made sends its form at once.
export function followSubmits() {
  document.addEventListener("change", (event) => {
    if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
  });
}
