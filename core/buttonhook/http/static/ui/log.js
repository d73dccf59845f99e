// The log of a run: its lines are kept as values, and only what is seen of them as elements. What was logged until now
// comes as JSON lines, the rest by a feed until the run ends.
import { follow } from "./feed.js";
import { Lines } from "./lines.js";
import { LEVELS, Ruler, headElement, lineElement } from "./log_line.js";
import { toast } from "./parts.js";

const MOST = 300000;
const TYPING_MS = 120;
const GATHER_MS = 80;
const TOUCH_MS = 1000;

// The lines in order, each once.
class Entries {
  constructor() {
    this.all = [];
    this.keys = new Set();
    this.lastId = 0;
    this.isFull = false;
    this.groupings = new Set();
    this.words = new Map();
  }

  // One text for all lines that have it.
  word(text) {
    const known = this.words.get(text);
    if (known !== undefined) return known;
    this.words.set(text, text);
    return text;
  }

  // The entry that was added, null where it was there or there is no room; `isLast`: whether it stands at the end.
  add(line, id) {
    const key = `${line.attempt}.${line.seq}`;
    this.lastId = Math.max(this.lastId, Number(id));
    if (this.keys.has(key)) return null;
    if (this.all.length >= MOST) {
      this.isFull = true;
      return null;
    }
    const entry = {
      key,
      attempt: line.attempt,
      seq: line.seq,
      time: line.time,
      level: LEVELS.indexOf(line.level),
      grouping: this.word(line.grouping),
      message: line.message,
      logger: this.word(line.logger),
      object: line.object_pk ? [this.word(line.object_type), line.object_pk, this.word(line.object_repr)] : null,
    };
    this.keys.add(key);
    this.groupings.add(entry.grouping);
    const isBefore = (each) => each.attempt < entry.attempt || (each.attempt === entry.attempt && each.seq < entry.seq);
    const isLast = !this.all.length || isBefore(this.all.at(-1));
    if (isLast) this.all.push(entry);
    else this.all.splice(this.all.findLastIndex(isBefore) + 1, 0, entry);
    return { entry, isLast };
  }
}

export class Log {
  constructor(panel) {
    this.panel = panel;
    this.source = panel.dataset.log;
    this.box = panel.querySelector(".log-box");
    this.list = panel.querySelector(".log-lines");
    this.form = panel.querySelector("form");
    this.part = (name) => panel.querySelector(`[data-${name}]`);
    this.entries = new Entries();
    this.shown = [];
    this.count = 0;
    this.unseen = 0;
    this.marked = panel.dataset.marked || location.hash.replace(/^#line-/, "");
    this.isMarkShown = false;
    this.isTaken = this.isWaiting = this.isStale = this.isFollowed = false;
    this.ruler = new Ruler(this.list);
    this.lines = new Lines(this.box, this.list, {
      prepare: () => this.ruler.measure(),
      make: (place) => this.element(place),
      guess: (place) => (this.shown[place].head ? this.ruler.first + 8 : this.ruler.guess(this.shown[place])),
    });
    this.readFilters();
    this.listen();
  }

  // --- what comes in ------------------------------------------------------------------------------

  take(line, id = line.id) {
    const added = this.entries.add(line, id);
    if (!added) return;
    if (!added.isLast) this.isStale = true;
    else if (this.fits(added.entry)) this.append(added.entry);
    this.soon();
  }

  // What was logged until now.
  async load() {
    const answer = await fetch(`${this.source}.jsonl`);
    if (!answer.ok) throw new Error(`The log cannot be read: ${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      for (const part of parts) {
        const line = JSON.parse(part);
        if (line.cut_off) toast(`Cut off: ${line.cut_off}`);
        else this.take(line);
      }
      if (this.entries.isFull) {
        await reader.cancel();
        break;
      }
    }
    this.soon();
  }

  // What is logged from now on; `told` hears how the run stands.
  follow(told, ended) {
    this.isFollowed = true;
    this.part("tail").hidden = false;
    if (!this.marked) this.setFollowing(true);
    return follow({
      address: `${this.source}/feed`,
      resumes: true,
      after: this.entries.lastId,
      kinds: {
        entry: (text, id) => this.take(JSON.parse(text), id),
        status: (text) => told(JSON.parse(text)),
      },
      ended: (reason) => {
        this.isFollowed = false;
        this.part("tail").hidden = true;
        ended(reason);
      },
    });
  }

  // --- what is shown ------------------------------------------------------------------------------

  readFilters() {
    this.least = Math.max(0, LEVELS.indexOf(this.form.elements.level.value));
    this.wanted = this.form.elements.search.value.toLowerCase();
    const grouping = this.part("grouping");
    this.group = grouping.selectedIndex > 0 ? grouping.value : null;
    this.attempt = Number(this.part("attempts")?.value || 0);
  }

  fits(entry) {
    if (entry.level < this.least || (this.group !== null && entry.grouping !== this.group)) return false;
    if (this.attempt && entry.attempt !== this.attempt) return false;
    return !this.wanted || entry.message.toLowerCase().includes(this.wanted);
  }

  append(entry) {
    const before = this.shown.at(-1);
    if (before ? before.attempt !== entry.attempt : entry.attempt > 1) {
      this.shown.push({ head: entry.attempt, attempt: entry.attempt });
    }
    this.shown.push(entry);
    this.count += 1;
    if (this.isFollowed && !this.lines.isFollowing) this.unseen += 1;
  }

  refilter() {
    const { unseen } = this;
    this.readFilters();
    this.shown = [];
    this.count = 0;
    for (const each of this.entries.all) if (this.fits(each)) this.append(each);
    this.unseen = unseen;
    this.isStale = false;
    this.lines.reset(this.shown.length);
  }

  soon() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    setTimeout(() => {
      this.isWaiting = false;
      this.update();
    }, this.isTaken ? GATHER_MS : 0);
  }

  update() {
    if (!this.isTaken || this.isStale) {
      const { scrollTop } = this.box;
      this.isTaken = true;
      this.refilter();
      this.box.scrollTop = scrollTop;
    } else this.lines.grow(this.shown.length);
    this.tell();
    if (this.marked && !this.isMarkShown && this.entries.keys.has(this.marked)) this.showMarked();
  }

  tell() {
    const all = this.entries.all.length;
    const lines = all === 1 ? "line" : "lines";
    const text = this.count === all ? `${all.toLocaleString()} ${lines}` : `${this.count.toLocaleString()} of ${all.toLocaleString()} ${lines}`;
    this.part("count").textContent = this.entries.isFull ? `The first ${text}: download it for the rest` : text;
    const empty = this.panel.querySelector(".log-empty");
    empty.hidden = this.count > 0;
    empty.textContent = all ? "No line fits." : "Nothing was logged yet.";
    this.tellUnseen();
    const grouping = this.part("grouping");
    const known = new Set([...grouping.options].slice(1).map((each) => each.value));
    for (const each of this.entries.groupings) if (!known.has(each)) grouping.add(new Option(each || "none", each));
    grouping.hidden = this.entries.groupings.size < 2;
  }

  tellUnseen() {
    const newer = this.part("new");
    if (this.lines.isFollowing || this.lines.isAtEnd) this.unseen = 0;
    newer.hidden = !this.unseen;
    newer.textContent = `${this.unseen.toLocaleString()} new ${this.unseen === 1 ? "line" : "lines"}`;
  }

  element(place) {
    const entry = this.shown[place];
    if (entry.head) return headElement(entry.head);
    const before = this.shown[place - 1];
    return lineElement(entry, {
      pages: this.panel.dataset.lines,
      wanted: this.wanted,
      isMarked: entry.key === this.marked,
      isGroupNew: !before || before.head || before.grouping !== entry.grouping,
    });
  }

  // --- what one does ------------------------------------------------------------------------------

  listen() {
    for (const each of this.panel.querySelectorAll("[data-plain]")) each.hidden = true;
    if (this.part("attempts")) this.part("attempts").hidden = false;
    let typing = 0;
    const filter = () => {
      this.refilter();
      if (!this.lines.isFollowing) this.box.scrollTop = 0;
      this.tell();
    };
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      filter();
    });
    this.form.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(filter, TYPING_MS);
    });
    this.part("tail").addEventListener("click", () => this.setFollowing(!this.lines.isFollowing));
    this.part("new").addEventListener("click", () => this.setFollowing(true));
    this.followHands();
    this.list.addEventListener("click", (event) => {
      const link = event.target.closest("a.log-no");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.copy(link);
    });
  }

  // Who scrolls up wants to stay; who comes to the end follows again. What scrolls by itself says nothing.
  followHands() {
    let touchedAt = -Infinity;
    let top = 0;
    for (const kind of ["wheel", "touchmove", "keydown", "pointerdown", "pointermove"]) {
      this.box.addEventListener(kind, (event) => {
        if (kind !== "pointermove" || event.buttons) touchedAt = performance.now();
      }, { passive: true });
    }
    this.box.addEventListener("scroll", () => {
      const isUp = this.box.scrollTop < top - 2;
      top = this.box.scrollTop;
      if (!this.isFollowed || performance.now() - touchedAt > TOUCH_MS) return;
      if (isUp && this.lines.isFollowing && !this.lines.isAtEnd) this.setFollowing(false);
      else if (!isUp && !this.lines.isFollowing && this.lines.isAtEnd) this.setFollowing(true);
    }, { passive: true });
  }

  setFollowing(isOn) {
    this.lines.isFollowing = isOn;
    this.part("tail").setAttribute("aria-pressed", String(isOn));
    this.lines.soon();
    this.tellUnseen();
  }

  showMarked() {
    const place = this.shown.findIndex((each) => each.key === this.marked);
    if (place < 0) return;
    this.isMarkShown = true;
    this.setFollowing(false);
    this.lines.show(place);
  }

  copy(link) {
    const line = link.closest(".log-line");
    this.list.querySelector(".log-marked")?.classList.remove("log-marked");
    line.classList.add("log-marked");
    this.marked = line.id.replace(/^line-/, "");
    this.isMarkShown = true;
    history.replaceState(null, "", `#${line.id}`);
    navigator.clipboard?.writeText(link.href).then(() => toast("The link to the line is copied.", "success", 3), () => {});
  }
}
