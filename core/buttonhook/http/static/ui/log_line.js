// One line of a log as the server's template makes it, and how high it will likely be.
import { milli } from "./times.js";

export const LEVELS = ["debug", "info", "success", "warning", "failure", "error", "critical"];

function made(name, className, text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

// Text in a <bdi>, with what was searched for marked.
function said(text, wanted) {
  const element = made("bdi");
  if (!wanted) {
    element.textContent = text;
    return element;
  }
  const lower = text.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    element.append(text.slice(from, at), made("mark", "", text.slice(at, at + wanted.length)));
    from = at + wanted.length;
  }
  element.append(text.slice(from));
  return element;
}

function linkTo([type, pk, name]) {
  const link = made("a", "object-link");
  link.href = `/objects/${encodeURIComponent(type)}/${encodeURIComponent(pk)}`;
  link.append(said(name || pk));
  return link;
}

export function lineElement(entry, { pages, wanted, isMarked, isGroupNew }) {
  const level = LEVELS[entry.level];
  const line = made("li", `log-line log-line-${level}${isMarked ? " log-marked" : ""}`);
  line.id = `line-${entry.key}`;
  const number = made("a", "log-no", String(entry.seq));
  number.href = `${pages}?line=${entry.key}#line-${entry.key}`;
  number.setAttribute("aria-label", `Link to line ${entry.seq}`);
  const time = made("time", "", milli(new Date(entry.time)));
  time.dateTime = entry.time;
  time.title = entry.time;
  const group = made("span", "log-group");
  if (isGroupNew) group.append(said(entry.grouping));
  const text = made("span", "log-text");
  text.append(said(entry.message, wanted));
  if (entry.logger) {
    const logger = made("span", "log-logger");
    logger.append(said(entry.logger));
    text.append(" ", logger);
  }
  if (entry.object) text.append(" ", linkTo(entry.object));
  line.append(number, time, made("span", `level level-${level}`, level), group, text);
  return line;
}

export function headElement(attempt) {
  return made("li", "log-attempt", `Attempt ${attempt}`);
}

// How many characters fit beside each other, and how high lines are, as the page is laid out now.
export class Ruler {
  constructor(list) {
    this.list = list;
    this.characters = 100;
    this.first = this.each = 21;
  }

  measure() {
    const line = (text) => lineElement(
      { key: "0.0", seq: 0, level: 1, time: "2000-01-01T00:00:00Z", grouping: "", message: text, logger: "", object: null },
      { pages: "", wanted: "", isMarked: false, isGroupNew: false },
    );
    const [one, two] = [line("0".repeat(20)), line("0\n0")];
    this.list.append(one, two);
    const width = one.querySelector("bdi").getBoundingClientRect().width / 20;
    if (width) this.characters = Math.max(8, Math.floor(one.querySelector(".log-text").clientWidth / width));
    this.first = one.offsetHeight || 21;
    this.each = two.offsetHeight - one.offsetHeight || 21;
    one.remove();
    two.remove();
  }

  guess(entry) {
    const text = entry.message;
    const more = (entry.logger ? entry.logger.length + 1 : 0) + (entry.object ? entry.object[2].length + 1 : 0);
    if (!text.includes("\n")) return this.first + Math.max(0, Math.ceil((text.length + more) / this.characters) - 1) * this.each;
    let rows = Math.ceil(more / this.characters);
    for (const part of text.split("\n")) rows += Math.max(1, Math.ceil(part.length / this.characters));
    return this.first + (rows - 1) * this.each;
  }
}
