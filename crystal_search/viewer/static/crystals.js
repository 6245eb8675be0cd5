// The crystals that the machine found, one by one: drawn on pictures, and listed beside them.
import { el, svg } from "./dom.js";
import { lengthText } from "./marks.js";
import { percent } from "./words.js";

const NEAR_PX = 1; // marks are of whole pixels: so far outside of an outline they are still of the crystal

/** Tell whether a place of the image, in pixels as fractions, lies in a crystal's outline or at its border. */
export function holds({ outline }, { row, column }) {
  let inside = false;
  let nearest = Infinity;
  outline.forEach(([top, left], at) => {
    const [bottom, right] = outline[(at + 1) % outline.length];
    if (top > row !== bottom > row && column < left + ((row - top) / (bottom - top)) * (right - left)) inside = !inside;
    const [down, across] = [bottom - top, right - left];
    const share = Math.min(1, Math.max(0, ((row - top) * down + (column - left) * across) / (down * down + across * across || 1)));
    nearest = Math.min(nearest, Math.hypot(top + share * down - row, left + share * across - column));
  });
  return inside || nearest <= NEAR_PX;
}

/** Return the smallest crystal at a place, or null: it may lie on a larger one. */
export function crystalAt(crystals, place) {
  const found = (crystals ?? []).filter((crystal) => holds(crystal, place));
  return found.length ? found.reduce((best, each) => (each.area_px2 < best.area_px2 ? each : best)) : null;
}

/** "120 × 40 µm", or in pixels of an image whose scale nobody has said */
export const sizeText = ({ long_px: long, short_px: short }, scale) => {
  const [a, b] = [lengthText(long, scale), lengthText(short, scale)];
  const unit = a.slice(a.indexOf(" "));
  return `${a.slice(0, -unit.length)} × ${b}`;
};

/** "3 crystals, longest 120 µm", "none found", or empty where nobody looked for them */
export function countText(found, longestPx, scale) {
  if (found === null || found === undefined) return "";
  if (!found) return "none found";
  return `${found} ${found === 1 ? "crystal" : "crystals"}, longest ${lengthText(longestPx, scale)}`;
}

/** Return what is drawn of each crystal: its outline and its number, each with a dark casing. */
export const drawn = (crystals) => (crystals ?? []).map((crystal) => {
  const points = crystal.outline.map(([row, column]) => `${column},${row}`).join(" ");
  const [top, left] = crystal.outline.reduce((best, each) => (each[0] < best[0] ? each : best));
  const text = svg("text", { x: left, y: top, dy: "-.3em" });
  text.textContent = String(crystal.crystal);
  const shape = svg("g", { class: "crystal" }, svg("polygon", { points, class: "halo" }), svg("polygon", { points }), text);
  shape.dataset.number = String(crystal.crystal);
  return shape;
});

/** The list beside the picture. What is pointed at here stands out there, and the other way round. */
export class CrystalList {
  /** `pointed` gets the number of the crystal that is to stand out, or null; `go` one that is to be in sight; `pick` one to mark, or whose mark is taken back. */
  constructor(element, { pointed, go, pick }) {
    Object.assign(this, { element, pointed, go, pick, number: null, kept: null });
    element.addEventListener("pointerover", (event) => event.pointerType !== "touch" && this.point(numberOf(event)));
    element.addEventListener("pointerleave", () => this.point(this.kept));
    element.addEventListener("focusin", (event) => this.point(numberOf(event)));
    element.addEventListener("focusout", () => this.point(this.kept));
  }

  /** List the crystals of a score, of an image with this scale; `marked` tells which are marked by whoever looks. */
  show({ id, crystals, scale, marked }) {
    const state = JSON.stringify([id, crystals, scale, (crystals ?? []).map((each) => Boolean(marked(each)))]);
    if (state === this.state) return;
    if (id !== this.id) this.number = this.kept = null;
    const focused = document.activeElement?.closest?.("#crystals button");
    const [wasOn, kind] = [focused && numberOf({ target: focused }), focused?.className];
    Object.assign(this, { id, state });
    this.element.replaceChildren(...(crystals ?? []).map((crystal) => this.row(crystal, scale, marked(crystal))));
    if (!crystals?.length) this.element.append(el("li", { className: "dim", textContent: crystals ? "None found." : "Nobody has looked for single crystals." }));
    if (wasOn) this.rowOf(wasOn)?.getElementsByClassName(kind)[0]?.focus();
    this.mark();
  }

  row(crystal, scale, mark) {
    const { crystal: number } = crystal;
    const notes = [crystal.cut_off ? "cut off" : "", crystal.faint ? "faint" : ""].filter(Boolean).join(", ");
    const said = `Crystal ${number}, ${percent(crystal.probability)}, ${sizeText(crystal, scale)}${notes ? `, ${notes}` : ""}`;
    const find = el(
      "button", { type: "button", className: "find", "aria-pressed": "false", "aria-label": said, title: "Show it in the picture" },
      el("b", { textContent: String(number) }), el("span", { textContent: percent(crystal.probability) }),
      el("span", { className: "size", textContent: sizeText(crystal, scale) }), el("span", { className: "dim", textContent: notes }),
    );
    const take = el("button", { type: "button", className: "take", textContent: mark ? "Picked" : "Pick", "aria-pressed": mark ? "true" : "false", "aria-label": `Pick crystal ${number}`, title: mark ? "Take your mark back" : "Mark it as a crystal to pick" });
    find.addEventListener("click", () => this.keep(this.kept === number ? null : number));
    take.addEventListener("click", () => this.pick(crystal));
    const row = el("li", {}, find, take);
    row.dataset.number = String(number);
    return row;
  }

  rowOf(number) {
    return [...this.element.children].find((row) => row.dataset.number === String(number));
  }

  /** Have a crystal stand out for good, and be in sight, or none for null. */
  keep(number) {
    this.kept = number;
    this.point(number);
    if (number !== null) this.go(number);
  }

  point(number) {
    if (number !== this.number) this.pointed(number);
    this.number = number;
    this.mark();
  }

  /** Show which crystal stands out, as somebody points at it in the picture. */
  pointedAt(number, { kept = false } = {}) {
    if (kept) this.kept = number;
    this.point(number ?? this.kept);
    if (kept) this.rowOf(number)?.scrollIntoView({ block: "nearest" });
  }

  mark() {
    for (const row of this.element.children) {
      row.classList.toggle("here", row.dataset.number === String(this.number));
      row.querySelector(".find")?.setAttribute("aria-pressed", row.dataset.number === String(this.kept) ? "true" : "false");
    }
  }
}

const numberOf = ({ target }) => Number(target.closest("[data-number]")?.dataset.number ?? 0) || null;
