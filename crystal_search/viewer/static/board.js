// The drops of a plate on the page: as on the plate, or one after the other.
import { el } from "./dom.js";
import { dropAddress } from "./net.js";
import { Tile } from "./tile.js";
import { arranged, isShown, viewParameters } from "./view.js";
import { percent } from "./words.js";

const GAP_PX = 4;
const WELL_PADDING_PX = 2;
const INNER_GAP_PX = 2;
const LETTER_PX = 26;
const HEAD_PX = 22;
const SIZES_PX = { s: 64, m: 104, l: 168 };
const SMALL_TILE_PX = 56;
const PERCENT_TILE_PX = 90; // below, the number would cover the drop
const MIN_TILE_PX = 20;
const MIN_TOUCHED_PX = 40; // in windows so narrow that fingers press the tiles
const NARROW_PX = 600;

const rowName = (row) => (row <= 26 ? "" : String.fromCharCode(64 + Math.floor((row - 1) / 26))) + String.fromCharCode(65 + ((row - 1) % 26));
const span = (numbers) => [Math.min(...numbers), Math.max(...numbers)];

export class Board {
  constructor(element) {
    this.element = element;
    this.tiles = new Map();
    this.order = [];
    this.captions = new Map(); // of the drops that stand one after the other
  }

  /** Show `board` as `view` says, each drop with its mark; tiles that are there already stay. */
  show(board, view, mark) {
    this.board = board;
    this.view = view;
    for (const drop of board.drops) {
      const tile = this.tiles.get(drop.id);
      if (tile) tile.update(drop, mark(drop));
      else this.tiles.set(drop.id, new Tile(drop, { address: "#", mark: mark(drop) }));
    }
    this.order = arranged(board.drops, view).map((drop) => drop.id);
    const address = viewParameters(view);
    for (const tile of this.tiles.values()) {
      tile.element.href = dropAddress(tile.drop, address);
      tile.element.classList.toggle("out", view.sort === "plate" && !isShown(tile.drop, view));
      tile.crop(view.crop === "on");
      tile.tell(view.frames === "on");
    }
    this.element.classList.toggle("without-frames", view.frames === "off");
    this.element.classList.toggle("by-crystal", view.sort === "crystal");
    this.arrange();
    for (const [id, caption] of this.captions) caption.replaceChildren(...this.caption(this.tiles.get(id).drop));
    this.resize();
  }

  /** Put the tiles where they belong, but only when something moves. */
  arrange() {
    const inPlates = this.view.sort === "plate";
    const layout = JSON.stringify(!this.board.drops.length ? ["empty"] : inPlates ? ["plate", this.board.drops.map((drop) => drop.id)] : ["flow", this.order]);
    if (layout === this.layout) return;
    this.layout = layout;
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    if (!this.board.drops.length) {
      this.element.replaceChildren(this.empty());
      return;
    }
    this.captions.clear();
    this.element.replaceChildren(inPlates ? this.plate() : this.flow());
    (focused ?? this.tiles.get(this.order[0])?.element)?.setAttribute("tabindex", "0");
    focused?.focus({ preventScroll: true });
  }

  empty() {
    const { plate, inspection, channel } = this.board;
    const latest = el("a", { className: "button", href: `/plate/${encodeURIComponent(plate)}?${new URLSearchParams({ channel })}`, textContent: `Latest images in ${channel}` });
    return el("div", { className: "nothing" }, el("p", { textContent: `Inspection ${inspection} has no images in the channel ${channel}.` }), latest);
  }

  plate() {
    const { drops } = this.board;
    this.slots = [...new Set(drops.map((drop) => drop.drop))].sort((a, b) => a - b);
    [this.top, this.bottom] = span(drops.map((drop) => drop.row));
    [this.left, this.right] = span(drops.map((drop) => drop.column));
    const places = new Map(drops.map((drop) => [`${drop.row} ${drop.column} ${drop.drop}`, drop.id]));
    const head = el("div", { className: "row head", "aria-hidden": "true" }, el("span", { className: "letter" }));
    for (let column = this.left; column <= this.right; column += 1) head.append(el("span", { className: "name", textContent: String(column) }));
    const grid = el("div", { className: "grid" }, head);
    for (let row = this.top; row <= this.bottom; row += 1) {
      const line = el("div", { className: "row" }, el("span", { className: "letter", textContent: rowName(row), "aria-hidden": "true" }));
      for (let column = this.left; column <= this.right; column += 1) line.append(this.well(row, column, places));
      grid.append(line);
    }
    return grid;
  }

  well(row, column, places) {
    const ids = this.slots.map((slot) => places.get(`${row} ${column} ${slot}`));
    if (ids.every((id) => id === undefined)) return el("div", { className: "well vacant" });
    const name = `${rowName(row)}${String(column).padStart(2, "0")}`;
    const content = ids.map((id, at) => this.prepared(id) ?? el("span", { className: "gap", textContent: String(this.slots[at]) }));
    return el("div", { className: "well", title: ids.length > 1 ? name : "" }, ...content);
  }

  prepared(id) {
    const tile = this.tiles.get(id)?.element;
    tile?.setAttribute("tabindex", "-1");
    return tile;
  }

  flow() {
    if (!this.order.length) return el("p", { className: "nothing", textContent: "No drop is like that. Clear the filters to see all." });
    return el("div", { className: "flow" }, ...this.order.map((id) => {
      this.captions.set(id, el("figcaption"));
      return el("figure", {}, this.prepared(id), this.captions.get(id));
    }));
  }

  /** Say which drop it is, and in the order of the likeliest crystals how likely. */
  caption({ well, drop, auto }) {
    const likely = this.view.sort === "crystal" && this.view.frames === "on" && auto && auto.p_crystal !== null;
    return [`${well} · ${drop}`, ...(likely ? [" · ", el("span", { textContent: percent(auto.p_crystal), title: "P(crystal)" })] : [])];
  }

  aspect() {
    const known = this.board.drops.map((drop) => drop.auto?.aspect).find(Boolean);
    return Math.min(2, Math.max(0.5, known ?? this.seenAspect ?? 4 / 3));
  }

  /** Make the tiles as large as the view says; "fit" shows the whole plate at once. */
  resize() {
    if (!this.board?.drops.length) return;
    const aspect = this.aspect();
    const flow = this.view.sort !== "plate";
    const slots = this.slots?.length ?? 1;
    const fit = this.fit(aspect, slots);
    const tile = this.view.size === "fit" ? (flow ? Math.max(104, fit.tile) : fit.tile) : SIZES_PX[this.view.size];
    const perRow = this.view.size === "fit" ? fit.perRow : Math.ceil(Math.sqrt(slots));
    const lines = Math.ceil(slots / perRow);
    const cell = perRow * tile + (perRow - 1) * INNER_GAP_PX + 2 * WELL_PADDING_PX;
    const height = lines * (tile / aspect) + (lines - 1) * INNER_GAP_PX + 2 * WELL_PADDING_PX;
    const lengths = { tile, cell, gap: GAP_PX, "well-height": height, "row-height": height + GAP_PX, "row-width": (this.right - this.left + 1) * (cell + GAP_PX) + LETTER_PX };
    for (const [name, length] of Object.entries(lengths)) this.element.style.setProperty(`--${name}`, `${length}px`);
    this.element.style.setProperty("--aspect", String(aspect));
    this.element.classList.toggle("small-tiles", tile < SMALL_TILE_PX);
    this.element.classList.toggle("plain-tiles", tile < PERCENT_TILE_PX);
  }

  /** Return the largest tile with which the whole plate fits, and how many drops of a well stand side by side. */
  fit(aspect, slots) {
    const columns = (this.right ?? 11) - (this.left ?? 0) + 1;
    const rows = (this.bottom ?? 7) - (this.top ?? 0) + 1;
    const cellWidth = (this.element.clientWidth - 28 - LETTER_PX) / columns - GAP_PX - 2 * WELL_PADDING_PX;
    const cellHeight = (this.element.clientHeight - 14 - HEAD_PX) / rows - GAP_PX - 2 * WELL_PADDING_PX;
    let best = { tile: innerWidth < NARROW_PX ? MIN_TOUCHED_PX : MIN_TILE_PX, perRow: Math.ceil(Math.sqrt(slots)) };
    for (let perRow = 1; perRow <= slots; perRow += 1) {
      const lines = Math.ceil(slots / perRow);
      const wide = (cellWidth - (perRow - 1) * INNER_GAP_PX) / perRow;
      const high = ((cellHeight - (lines - 1) * INNER_GAP_PX) / lines) * aspect;
      const tile = Math.floor(Math.min(wide, high));
      if (tile > best.tile) best = { tile, perRow };
    }
    return best;
  }

  /** Return the tile that an arrow key leads to from the drop `id`. */
  neighbour(id, key) {
    if (this.view.sort !== "plate") return this.neighbourInFlow(id, key);
    const from = this.tiles.get(id).element.getBoundingClientRect();
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    let best = null;
    for (const tile of this.tiles.values()) {
      const to = tile.element.getBoundingClientRect();
      const [x, y] = [to.left - from.left, to.top - from.top];
      const along = x * dx + y * dy;
      const across = Math.abs(x * dy) + Math.abs(y * dx);
      if (along > 2 && across < from.height && (!best || along + 4 * across < best.far)) best = { tile, far: along + 4 * across };
    }
    return best?.tile;
  }

  neighbourInFlow(id, key) {
    const figures = [...this.element.querySelectorAll("figure")];
    const inLine = figures.filter((figure) => figure.offsetTop === figures[0].offsetTop).length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -inLine, ArrowDown: inLine }[key];
    return this.tiles.get(this.order[this.order.indexOf(id) + step]);
  }
}
