// The page of one job result: what it tells of the run is brought up to date, and its log followed. It has one feed at a
// time: notices while the result waits, the log while it runs, notices again while what it caused still runs.
import { follow } from "./feed.js";
import { Log } from "./log.js";
import { toast } from "./parts.js";
import { writeClocks } from "./clocks.js";
import { writeTimes } from "./times.js";

const FINAL = ["success", "failure", "revoked"];
const FRAGMENT = { "X-Fragment": "1" };

class Page {
  constructor(root) {
    this.address = root.dataset.result;
    this.status = root.dataset.status;
    this.hasOpen = "open" in root.dataset;
    this.pieces = new Map();
    const panel = root.querySelector("[data-log]");
    this.log = panel?.querySelector(".log-lines") ? new Log(panel) : null;
    this.feed = null;
    this.isBusy = this.isAsked = false;
  }

  // Brings the parts of the page up to date.
  async refresh() {
    this.isAsked = true;
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      while (this.isAsked) {
        this.isAsked = false;
        const answer = await fetch(this.address, { headers: FRAGMENT });
        if (answer.ok) this.take(await answer.text());
      }
    } catch { /* the daemon is away: the feed tells */
    } finally {
      this.isBusy = false;
    }
  }

  take(text) {
    const made = document.createElement("template");
    made.innerHTML = text;
    for (const fresh of made.content.querySelectorAll("[data-piece]")) {
      const { piece } = fresh.dataset;
      const known = document.querySelector(`main [data-piece="${piece}"]`);
      if (piece === "status") this.status = fresh.dataset.status;
      if (piece === "caused") this.hasOpen = fresh.querySelector("[data-open]") !== null;
      if (!known || this.pieces.get(piece) === fresh.innerHTML) continue;
      this.pieces.set(piece, fresh.innerHTML);
      const focused = known.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      const open = [...known.querySelectorAll("details[open][id]")].map((each) => each.id);
      known.replaceChildren(...fresh.childNodes);
      for (const each of open) known.querySelector(`#${CSS.escape(each)}`)?.setAttribute("open", "");
      if (focused) known.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
      writeTimes(known);
    }
    writeClocks();
  }

  async begin() {
    if (this.log && this.status !== "pending") await this.loadLog();
    this.next();
  }

  async loadLog() {
    try {
      await this.log.load();
    } catch (error) {
      toast(error.message);
    }
  }

  // Opens the feed that fits how the result stands.
  next() {
    this.feed?.stop();
    this.feed = null;
    const isFinal = FINAL.includes(this.status);
    if (!isFinal && this.status !== "pending" && this.log) this.followLog();
    else if (!isFinal || this.hasOpen) this.followNotices();
  }

  followLog() {
    this.feed = this.log.follow(
      (told) => {
        if (told.status !== this.status || FINAL.includes(told.status)) this.refresh();
        this.status = told.status;
      },
      async (reason) => {
        if (reason !== "done") return;
        await this.refresh();
        this.next();
      },
    );
  }

  followNotices() {
    const look = async () => {
      const { status } = this;
      await this.refresh();
      const isOver = FINAL.includes(this.status) && !this.hasOpen;
      if (!isOver && this.status === status) return;
      if (status === "pending" && this.status !== status && this.log) await this.loadLog();
      this.next();
    };
    this.feed = follow({
      address: "/api/notices",
      opened: look,
      kinds: {
        notice: (text) => {
          const told = JSON.parse(text);
          if (told.is_all || told.job_results.length) look();
        },
      },
    });
  }
}

export function followResult() {
  const root = document.querySelector("[data-result]");
  if (root) new Page(root).begin();
}
