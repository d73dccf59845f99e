// The list of job results: what it shows changes in place, what is new is told in a bar, and nothing jumps.
import { followClocks, writeClocks } from "./clocks.js";
import { follow } from "./feed.js";
import { followResult } from "./result.js";
import { writeTimes } from "./times.js";

const GAP_MS = 400;
const FRAGMENT = { "X-Fragment": "1" };

function replace(list, rows) {
  for (const fresh of rows) {
    const known = list.querySelector(`#${CSS.escape(fresh.id)}`);
    if (!known || known.dataset.mark === fresh.dataset.mark) continue;
    const isFocused = known.contains(document.activeElement);
    known.replaceWith(fresh);
    fresh.classList.add("row-fresh");
    writeTimes(fresh);
    if (isFocused) fresh.querySelector("a")?.focus();
  }
  writeClocks();
}

function followList(list) {
  const bar = document.querySelector("[data-news]");
  const changed = new Set();
  let isBusy = false;
  let isAsked = false;

  const shown = () => [...list.querySelectorAll("[data-number]")];

  async function refresh() {
    isAsked = true;
    if (isBusy) return;
    isBusy = true;
    try {
      while (isAsked) {
        isAsked = false;
        await ask();
        await new Promise((resolve) => setTimeout(resolve, GAP_MS));
      }
    } catch { /* the daemon is away: the feed tells, and asks again when it is back */
    } finally {
      isBusy = false;
    }
  }

  async function ask() {
    const url = new URL(list.dataset.results, location.href);
    const rows = shown().filter((each) => "open" in each.dataset || changed.has(each.dataset.number));
    changed.clear();
    url.searchParams.set("shown", shown().map((each) => each.dataset.number).join("."));
    url.searchParams.set("rows", rows.map((each) => each.dataset.number).join("."));
    const answer = await fetch(url, { headers: FRAGMENT });
    if (!answer.ok) return;
    const made = document.createElement("template");
    made.innerHTML = await answer.text();
    replace(list, made.content.querySelectorAll("tr"));
    const count = made.content.querySelector("[data-count]").dataset.count;
    if (!("first" in list.dataset)) return;
    bar.hidden = !count;
    bar.textContent = count ? `Show ${count} new ${count === "1" ? "result" : "results"}` : "";
  }

  follow({
    address: "/api/notices",
    opened: refresh,
    kinds: {
      notice: (text) => {
        const told = JSON.parse(text);
        for (const each of told.job_results) changed.add(String(each.number));
        if (told.is_all) for (const each of shown()) changed.add(each.dataset.number);
        if (told.is_all || told.job_results.length) refresh();
      },
    },
  });
}

// Times are written in the viewer's zone and sent in UTC; the address goes without what was left empty.
function followFilters(form) {
  const pairs = [...form.querySelectorAll('input[type="datetime-local"]')].map((input) => {
    const sent = document.createElement("input");
    sent.type = "hidden";
    sent.name = input.name;
    form.append(sent);
    input.removeAttribute("name");
    const label = form.querySelector(`label[for="${input.id}"]`);
    label.textContent = label.textContent.replace(" (UTC)", "");
    if (input.value) {
      const moment = new Date(`${input.value}Z`);
      input.value = new Date(moment.getTime() - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
    }
    return [input, sent];
  });
  form.addEventListener("submit", () => {
    for (const [input, sent] of pairs) sent.value = input.value ? new Date(input.value).toISOString().slice(0, 16) : "";
    for (const each of form.elements) if (each.name && !each.value) each.disabled = true;
  });
  window.addEventListener("pageshow", () => { for (const each of form.elements) each.disabled = false; });
}

export function followResults() {
  const list = document.querySelector("[data-results]");
  if (list) followList(list);
  for (const form of document.querySelectorAll("form[data-tidy]")) followFilters(form);
  followResult();
  followClocks();
}
