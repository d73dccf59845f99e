// Parts of a page that are drawn anew when something happened: <div data-follow="/changes/new?after=5">.
// What the address answers is put in place of what the element holds, unless its data-mark is the same; with data-ended
// nothing more will happen to it.
import { follow } from "./feed.js";
import { writeTimes } from "./times.js";

const GAP_MS = 600;

function take(place, content) {
  const fresh = content.firstElementChild;
  const shown = place.firstElementChild;
  if (!fresh || (shown && fresh.dataset.mark === shown.dataset.mark)) return;
  const active = place.contains(document.activeElement) ? document.activeElement : null;
  const name = active?.id || active?.getAttribute("href");
  const open = new Set([...place.querySelectorAll("details[open][id]")].map((each) => each.id));
  for (const each of content.querySelectorAll("details[id]")) if (open.has(each.id)) each.open = true;
  place.replaceChildren(fresh);
  writeTimes(place);
  if (name) [...place.querySelectorAll("[href], [id]")].find((each) => each.id === name || each.getAttribute("href") === name)?.focus();
}

// What is slow to draw is drawn seldom; what happens meanwhile is drawn with the next one.
function refresher(place) {
  let isBusy = false;
  let isAsked = false;
  async function refresh() {
    const began = Date.now();
    try {
      const answer = await fetch(place.dataset.follow, { headers: { "X-Fragment": "1" } });
      if (answer.ok) {
        const made = document.createElement("template");
        made.innerHTML = await answer.text();
        take(place, made.content);
      }
    } catch { /* the daemon is away: the feed tells, and asks again when it is back */ }
    await new Promise((resolve) => setTimeout(resolve, Math.max(GAP_MS, 5 * (Date.now() - began))));
  }
  return async () => {
    isAsked = true;
    if (isBusy) return;
    isBusy = true;
    while (isAsked) {
      isAsked = false;
      await refresh();
    }
    isBusy = false;
  };
}

export function followParts() {
  const parts = [...document.querySelectorAll("[data-follow]")].map((place) => [place, refresher(place)]);
  const going = () => parts.filter(([place]) => !place.querySelector(":scope > [data-ended]"));
  if (!going().length) return;
  const refresh = () => {
    const left = going();
    for (const [, again] of left) again();
    if (!left.length) feed.stop();
  };
  const feed = follow({ address: "/api/notices", opened: refresh, kinds: { notice: refresh } });
}
