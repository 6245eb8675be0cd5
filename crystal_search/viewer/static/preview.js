// A larger picture of the drop under the pointer, or of the one that keys have reached.
import { byId, el } from "./dom.js";
import { thumbnailAddress } from "./net.js";
import { autoBadge, crystalsText, handBadge, outcomeOf, peopleDiffer, percent, placeText } from "./words.js";

const DELAY_MS = 140;
const GAP_PX = 10;
const COMMENTS = 3; // that are shown, the last ones

function line(badge, label, note, kind = "") {
  return el("div", { className: `line ${kind}` }, badge, el("span", { textContent: label }), el("span", { className: "dim", textContent: note }));
}

/** "97 % by a first look": whose score it is where the classifier did not look. */
const noteOf = ({ probability, looks, readout }) => `${percent(probability)}${looks === 1 && !readout ? " by a first look" : ""}`.trim();

export class Preview {
  constructor() {
    this.box = byId("preview");
    this.timer = null;
  }

  /** Show `tile` large after a moment. */
  soon(tile) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(tile), this.box.hidden ? DELAY_MS : 30);
  }

  /** Show what is known by now of the tile in sight. */
  refresh() {
    if (!this.box.hidden && this.tile?.drop !== this.drop) this.show(this.tile);
  }

  show(tile) {
    const { drop } = tile;
    Object.assign(this, { tile, drop });
    const lines = [el("div", { className: "line" }, el("b", { textContent: placeText(drop) }))];
    if (drop.auto) lines.push(line(autoBadge(drop.auto), outcomeOf(drop.auto.outcome).label, noteOf(drop.auto), "machine"));
    const crystals = drop.auto && crystalsText(drop);
    if (crystals) lines.push(el("div", { className: "line machine" }, el("span", { textContent: crystals })));
    for (const score of drop.people) lines.push(line(handBadge(score), outcomeOf(score.outcome).label, score.person));
    if (peopleDiffer(drop)) lines.push(el("div", { className: "line unequal", textContent: "≠ people differ" }));
    if (drop.earlier) lines.push(line(handBadge(drop.earlier, { earlier: true }), outcomeOf(drop.earlier.outcome).label, `inspection ${drop.earlier.inspection}`));
    for (const { person, text } of drop.comments.slice(-COMMENTS)) lines.push(el("div", { className: "line comment" }, el("span", { textContent: `“${text}”` }), el("span", { className: "dim", textContent: person })));
    if (drop.condition) lines.push(el("div", { className: "line condition" }, el("span", { textContent: drop.condition })));
    const image = el("img", { src: thumbnailAddress(drop), alt: "" });
    image.addEventListener("load", () => this.place(tile), { once: true });
    this.box.replaceChildren(image, ...lines);
    this.box.hidden = false;
    this.place(tile);
  }

  place(tile) {
    const at = tile.element.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const right = at.right + GAP_PX + width < innerWidth;
    this.box.style.left = `${right ? at.right + GAP_PX : Math.max(4, at.left - GAP_PX - width)}px`;
    this.box.style.top = `${Math.max(4, Math.min(at.top, innerHeight - height - 8))}px`;
  }

  hide() {
    clearTimeout(this.timer);
    this.box.hidden = true;
  }
}
