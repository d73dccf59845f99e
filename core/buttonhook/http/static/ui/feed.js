// One live feed for a page. It is closed while nobody looks, since browsers open six connections to a server only, and
// goes on where it was. How it stands is told in elements with data-live.
const AGAIN_MS = [500, 1000, 2000, 5000, 10000];
const HIDDEN_MS = 5000;
const SAID = { live: "Live", away: "Reconnecting…", done: "Ended", over: "Not live any more" };

function show(state, text = SAID[state]) {
  for (const each of document.querySelectorAll("[data-live]")) {
    each.hidden = state === "done";
    each.dataset.state = state;
    if (each.textContent !== text) each.textContent = text;
  }
}

function showLogin(text) {
  const here = location.pathname + location.search;
  for (const each of document.querySelectorAll("[data-live]")) {
    each.hidden = false;
    each.dataset.state = "over";
    const link = document.createElement("a");
    link.href = `/login?next=${encodeURIComponent(here)}`;
    link.textContent = "Log in again";
    each.replaceChildren(`${text} `, link);
  }
}

// `kinds`: what to do with each kind of event, given its data and its id. `resumes`: whether its ids say where to go on;
// `after` is the first of them. `opened` is called whenever it was opened, `ended` when all was told.
export function follow({ address, kinds, resumes = false, after = null, opened = () => {}, ended = () => {} }) {
  let source = null;
  let timer = 0;
  let tries = 0;
  let isOver = false;
  let place = after;

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function stop() {
    isOver = true;
    close();
    document.removeEventListener("visibilitychange", look);
  }

  function again() {
    close();
    show("away");
    timer = setTimeout(open, AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)]);
    tries += 1;
  }

  // The browser gave up: we are logged out, or the daemon is not there or has no room.
  async function refused() {
    close();
    try {
      const answer = await fetch("/api/me");
      if (answer.status === 401) {
        stop();
        showLogin("You are logged out.");
        return;
      }
    } catch { /* it is away, and may come back */ }
    if (!isOver) again();
  }

  function end(told) {
    if (resumes && told.last_id !== null) place = told.last_id;
    if (told.reason === "stopping" || told.reason === "unavailable") {
      again();
      return;
    }
    stop();
    if (told.reason === "logged-out") showLogin("You are logged out.");
    else if (told.reason === "done") show("done");
    else show("over", told.detail);
    ended(told.reason);
  }

  function open() {
    clearTimeout(timer);
    if (isOver || source || document.hidden) return;
    const url = new URL(address, location.href);
    if (resumes && place !== null) url.searchParams.set("after", place);
    const made = new EventSource(url);
    source = made;
    made.addEventListener("open", () => {
      tries = 0;
      show("live");
      opened();
    });
    made.addEventListener("error", () => {
      if (source !== made) return;
      if (made.readyState === EventSource.CLOSED) refused();
      else show("away");
    });
    for (const [kind, take] of Object.entries(kinds)) {
      made.addEventListener(kind, (event) => {
        if (event.lastEventId) place = event.lastEventId;
        take(event.data, event.lastEventId);
      });
    }
    made.addEventListener("end", (event) => end(JSON.parse(event.data)));
  }

  function look() {
    clearTimeout(timer);
    if (!document.hidden) open();
    else timer = setTimeout(close, HIDDEN_MS);
  }

  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  open();
  return {
    stop() {
      if (isOver) return;
      stop();
      show("done");
    },
  };
}
