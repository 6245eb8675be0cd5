// Marks: crystals to pick and places to dispense at, drawn on images and listed beside them; lengths in micrometres.
import { el, svg } from "./dom.js";
import { person } from "./hand.js";
import { momentText } from "./words.js";

export const MARK_LABELS = { pick: "Crystal to pick", dispense: "Place to dispense", favourite: "Favourite" };
const GLYPHS = {
  pick: "M-9 0a9 9 0 1 0 18 0a9 9 0 1 0 -18 0M-14 0h9M5 0h9M0 -14v9M0 5v9",
  dispense: "M0 -12C4 -5 8 -1 8 4A8 8 0 1 1 -8 4C-8 -1 -4 -5 0 -12Z",
};

/** Return a length in micrometres, or in pixels of an image whose imager nobody has calibrated. */
export function lengthText(px, scale) {
  const [length, unit] = scale ? [px * scale, "µm"] : [px, "px"];
  return `${length < 10 ? length.toFixed(1) : Math.round(length)} ${unit}`;
}

/** Return the pixel, or the half-open box of pixels, between two points within an image of this size. */
export function placeOf(from, to, { height, width }) {
  const within = (value, size) => Math.min(Math.max(Math.floor(value), 0), size - 1);
  const [top, left] = [within(Math.min(from.row, to.row), height), within(Math.min(from.column, to.column), width)];
  if (from === to) return [top, left];
  return [top, left, within(Math.max(from.row, to.row), height) + 1, within(Math.max(from.column, to.column), width) + 1];
}

const sizeText = ([top, left, bottom, right], scale) => `${lengthText(right - left, scale)} × ${lengthText(bottom - top, scale)}`;

/** Draw marks, and what a tool is about to draw, into a layer of a picture. */
export function showMarks(layer, marks, draft) {
  const shapes = marks.filter((mark) => mark.place).map((mark) => shape(mark.kind, mark.place));
  if (draft) shapes.push(draft.kind === "measure" ? ruler(draft) : shape(draft.kind, draft.place));
  layer.replaceChildren(...shapes);
}

function shape(kind, [top, left, bottom, right]) {
  const glyph = svg("g", { transform: `translate(${left + 0.5} ${top + 0.5})` }, svg("path", { class: "halo", d: GLYPHS[kind] }), svg("path", { d: GLYPHS[kind] }));
  if (bottom === undefined) return svg("g", { class: `mark ${kind}` }, glyph);
  const box = { x: left, y: top, width: right - left, height: bottom - top };
  return svg("g", { class: `mark ${kind}` }, svg("rect", { ...box, class: "halo" }), svg("rect", box), glyph);
}

function ruler({ from, to, text }) {
  const line = { x1: from.column, y1: from.row, x2: to.column, y2: to.row };
  const label = svg("text", { x: (from.column + to.column) / 2, y: (from.row + to.row) / 2, dy: "-.5em" });
  label.textContent = text;
  return svg("g", { class: "ruler" }, svg("line", { ...line, class: "halo" }), svg("line", line), label);
}

/** List what people marked; those of one's own can be taken back. */
export function listMarks(element, drop, takeBack) {
  const rows = (drop.marks ?? []).map((mark) => {
    const size = mark.place?.length === 4 ? ` ${sizeText(mark.place, drop.um_per_px)}` : "";
    const what = el("span", { className: "text", textContent: `${MARK_LABELS[mark.kind]}${size}` });
    return el("li", { className: `mark-${mark.kind}` }, what, whose(mark.person, mark.marked_at, () => takeBack(mark)));
  });
  element.replaceChildren(...(rows.length ? rows : [el("li", { className: "dim", textContent: "Nothing is marked." })]));
}

/** Say who wrote or marked something and when, with a button that takes it back if that was oneself. */
export function whose(name, at, takeBack) {
  const who = el("span", { className: "who", textContent: `${name} · ${momentText(at)}` });
  if (!takeBack || name !== person()) return who;
  const button = el("button", { type: "button", className: "quiet take-back", textContent: "take back" });
  button.addEventListener("click", takeBack);
  who.append(" · ", button);
  return who;
}
