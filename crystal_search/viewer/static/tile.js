// One drop as a thumbnail in its frame.
import { markBadge, paint } from "./colouring.js";
import { el } from "./dom.js";
import { thumbnailAddress } from "./net.js";
import { autoBadge, describe, disagrees, favouritesOf, handBadge, markedText, opinions, outcomeOf, peopleDiffer, percent, placesOf } from "./words.js";

const CROP_MARGIN = 0.04; // of the image, around the drop

/** Return the place and size of the whole image, in percent, so that the drop fills a window of `aspect`. */
export function cropOf(box, aspect) {
  let [top, left, bottom, right] = [box[0] - CROP_MARGIN, box[1] - CROP_MARGIN, box[2] + CROP_MARGIN, box[3] + CROP_MARGIN];
  // In fractions of an image that has the window's proportions a square piece keeps them.
  const side = Math.min(1, Math.max(bottom - top, right - left));
  top = Math.min(Math.max(0, (top + bottom - side) / 2), 1 - side);
  left = Math.min(Math.max(0, (left + right - side) / 2), 1 - side);
  return { size: 100 / side, left: (-100 * left) / side, top: (-100 * top) / side };
}

const stateOf = ({ auto, people, comments, marks = [] }) => [auto?.scored_at, ...people.map(({ id }) => id), comments.length, ...marks.map(({ id }) => id)].join(" ");

/** The letters of what people say, the last first, with a mark between those that differ. */
function handBadges(drop) {
  const badges = opinions(drop).map((score) => handBadge(score));
  return el("span", { className: "hands" }, ...badges.flatMap((badge, at) => (at ? [el("span", { className: "unequal", textContent: "≠", title: "people differ" }), badge] : [badge])));
}

/** A bubble that says how many comments there are; its title is the last of them. */
function commentMark(comments) {
  const { person, text } = comments.at(-1);
  return el("span", { className: "comments", textContent: comments.length > 1 ? String(comments.length) : "", title: `${person}: ${text}` });
}

/** A star for a favourite, and how many places are marked. */
function markBadges(drop) {
  const favourite = favouritesOf(drop);
  const places = placesOf(drop);
  const badges = [];
  if (favourite.length) badges.push(el("span", { className: "star", textContent: "★", title: `favourite of ${favourite.map((mark) => mark.person).join(", ")}` }));
  if (places.length) badges.push(el("span", { className: "places", textContent: `⊕${places.length}`, title: markedText(drop) }));
  return badges.length ? [el("span", { className: "marked" }, ...badges)] : [];
}

/** A tile: `element` is a link, `update` shows another state of the same drop in place. */
export class Tile {
  constructor(drop, { address = null, lazy = true, machine = true, mark = null } = {}) {
    this.image = el("img", { decoding: "async", draggable: false });
    if (lazy) this.image.loading = "lazy";
    this.image.addEventListener("error", () => this.image.classList.add("missing"));
    this.image.addEventListener("load", () => this.image.classList.remove("missing"));
    this.window = el("span", { className: "window" }, this.image);
    this.element = el(address ? "a" : "span", { className: "tile" });
    if (address) this.element.href = address;
    this.element.dataset.id = drop.id;
    this.cropped = false;
    this.ticked = false;
    this.corner = el("span", { className: "tick", title: "Pick (t)", "aria-hidden": "true" });
    this.machine = machine;
    this.update(drop, mark);
  }

  /** Show a drop in the frame of its outcome, or in that of a mark. */
  update(drop, mark = null) {
    const first = !this.drop;
    const changed = !first && stateOf(drop) !== stateOf(this.drop);
    if (first || drop.version !== this.drop.version) this.image.src = thumbnailAddress(drop);
    Object.assign(this, { drop, mark });
    this.describe();
    paint(this.element, mark);
    const name = outcomeOf(drop.auto?.outcome ?? "unscored").name;
    const stays = ["here", "out", "ticked"].filter((each) => this.element.classList.contains(each));
    this.element.className = ["tile", `is-${name}`, disagrees(drop) ? "disagrees" : "", peopleDiffer(drop) ? "differ" : "", changed ? "changed" : "", mark ? "marked" : "", ...stays].filter(Boolean).join(" ");
    const badges = [];
    if (mark) badges.push(markBadge(mark));
    else if (drop.auto) badges.push(autoBadge(drop.auto));
    if (drop.people.length) badges.push(handBadges(drop));
    else if (drop.earlier) badges.push(el("span", { className: "hands" }, handBadge(drop.earlier, { earlier: true })));
    if (!mark && drop.auto?.probability !== null && drop.auto?.probability !== undefined) badges.push(el("span", { className: "percent", textContent: percent(drop.auto.probability) }));
    if (drop.comments.length) badges.push(commentMark(drop.comments));
    badges.push(...markBadges(drop));
    for (const badge of badges) badge.setAttribute("aria-hidden", "true");
    this.element.replaceChildren(this.window, ...badges, this.corner);
    this.crop(this.cropped);
  }

  /** Say to screen readers what the machine says, or only the rest. */
  tell(machine) {
    if (machine === this.machine) return;
    this.machine = machine;
    this.describe();
  }

  /** Show whether the drop is on the pick list. */
  tick(ticked) {
    if (ticked === this.ticked) return;
    this.ticked = ticked;
    this.element.classList.toggle("ticked", ticked);
    this.describe();
  }

  describe() {
    const text = describe(this.drop, { machine: this.machine });
    this.image.alt = [text, this.mark && this.machine ? `; ${this.mark.said}` : "", this.ticked ? ", ticked" : ""].join("");
  }

  /** Enlarge the drop, or show the whole image. */
  crop(cropped) {
    this.cropped = cropped;
    const style = this.image.style;
    const box = cropped ? this.drop.auto?.drop_box : null;
    if (!box) {
      style.width = style.height = style.left = style.top = "";
      return;
    }
    const { size, left, top } = cropOf(box);
    style.width = style.height = `${size}%`;
    style.left = `${left}%`;
    style.top = `${top}%`;
  }
}
