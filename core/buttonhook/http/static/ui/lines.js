// A list of which only what is seen is in the page: the rest is room above and below, as high as it is thought to be.
// Heights are guessed until a row was seen. What is looked at stays where it is when rows above turn out otherwise.
const OVERSCAN = 400;
const BLOCK = 256;

export class Lines {
  // `make(place)` gives a row's element, `guess(place)` its likely height, after `prepare()` has looked at the page.
  constructor(box, list, { prepare, make, guess }) {
    this.box = box;
    this.list = list;
    this.prepare = prepare;
    this.make = make;
    this.guess = guess;
    this.count = 0;
    this.drawn = 0;
    this.heights = new Float32Array(1024);
    this.sums = [];
    this.rows = new Map();
    this.isFollowing = false;
    this.isWaiting = false;
    this.above = document.createElement("li");
    this.below = document.createElement("li");
    for (const each of [this.above, this.below]) {
      each.className = "room";
      each.setAttribute("aria-hidden", "true");
    }
    box.addEventListener("scroll", () => this.soon(), { passive: true });
    this.width = box.clientWidth;
    new ResizeObserver(() => {
      if (!this.above.isConnected) return;
      if (box.clientWidth !== this.width) {
        this.width = box.clientWidth;
        this.layOut();
      } else this.soon();
    }).observe(box);
  }

  soon() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.draw();
    });
  }

  // The same rows, as wide as the box is now.
  layOut() {
    const [place] = this.at(this.box.scrollTop);
    this.reset(this.count);
    if (this.isFollowing) return;
    this.place(this.top(place));
    this.box.scrollTop = this.top(place);
  }

  // All rows are others now.
  reset(count) {
    this.count = 0;
    this.sums = [];
    this.rows.clear();
    this.list.replaceChildren(this.above, this.below);
    this.prepare();
    this.grow(count);
  }

  // There are more rows at the end.
  grow(count) {
    if (count > this.heights.length) {
      const wider = new Float32Array(Math.max(count, this.heights.length * 2));
      wider.set(this.heights);
      this.heights = wider;
    }
    for (let place = this.count; place < count; place += 1) {
      const height = this.guess(place);
      this.heights[place] = height;
      const block = Math.floor(place / BLOCK);
      this.sums[block] = (this.sums[block] ?? 0) + height;
    }
    this.count = count;
    this.soon();
  }

  top(place) {
    const block = Math.floor(place / BLOCK);
    let sum = 0;
    for (let each = 0; each < block; each += 1) sum += this.sums[each];
    for (let each = block * BLOCK; each < place; each += 1) sum += this.heights[each];
    return sum;
  }

  // The row at a height, and where it begins.
  at(height) {
    let top = 0;
    let block = 0;
    while (block < this.sums.length - 1 && top + this.sums[block] <= height) top += this.sums[block++];
    let place = block * BLOCK;
    while (place < this.count - 1 && top + this.heights[place] <= height) top += this.heights[place++];
    return [place, top];
  }

  measure(place, height) {
    const change = height - this.heights[place];
    if (Math.abs(change) < 0.5) return;
    this.heights[place] = height;
    this.sums[Math.floor(place / BLOCK)] += change;
  }

  // The first row in sight and how far it stands from the top of the box: what must not move.
  anchor() {
    const edge = this.box.getBoundingClientRect().top;
    for (const [place, row] of this.rows) {
      const at = row.getBoundingClientRect();
      if (at.bottom > edge) return [place, at.top - edge];
    }
    return null;
  }

  draw() {
    if (!this.above.isConnected || !this.count) return;
    const { box } = this;
    const isGrown = this.drawn !== this.count;
    this.drawn = this.count;
    if (this.isFollowing || (!isGrown && box.scrollTop > 0 && this.isAtEnd)) {
      this.place(this.top(this.count) - this.view);
      box.scrollTop = box.scrollHeight;
      return;
    }
    const kept = this.anchor();
    this.place(box.scrollTop);
    if (!kept || !this.rows.has(kept[0])) return;
    const moved = this.rows.get(kept[0]).getBoundingClientRect().top - box.getBoundingClientRect().top - kept[1];
    if (Math.abs(moved) >= 1) box.scrollTop += moved;
  }

  // How much is in sight once the box has grown as high as it may.
  get view() {
    return Math.max(this.box.clientHeight, parseFloat(getComputedStyle(this.box).maxHeight) || 0);
  }

  // Have the rows around a height in the page, and no others.
  place(height) {
    const [first] = this.at(Math.max(0, height - OVERSCAN));
    const [last] = this.at(Math.max(0, height) + this.view + OVERSCAN);
    const wanted = new Map();
    for (let place = first; place <= last && place < this.count; place += 1) {
      wanted.set(place, this.rows.get(place) ?? this.make(place));
    }
    for (const [place, row] of this.rows) if (!wanted.has(place)) row.remove();
    let before = this.above;
    for (const row of wanted.values()) {
      if (before.nextSibling !== row) before.after(row);
      before = row;
    }
    this.rows = wanted;
    for (const [place, row] of wanted) this.measure(place, row.offsetHeight);
    this.above.style.height = `${this.top(first)}px`;
    this.below.style.height = `${Math.max(0, this.top(this.count) - this.top(Math.min(last + 1, this.count)))}px`;
  }

  // Bring a row to the middle of the box.
  show(place) {
    for (let turn = 0; turn < 3; turn += 1) { // what is above was guessed: its heights are known after the first look
      this.box.scrollTop = this.top(place) - this.box.clientHeight / 3;
      this.place(this.box.scrollTop);
    }
    return this.rows.get(place);
  }

  get isAtEnd() {
    return this.box.scrollTop + this.box.clientHeight >= this.box.scrollHeight - 8;
  }
}
