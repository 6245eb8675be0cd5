// The pictures in sight: one, or the same drop at several inspections side by side, zoomed and moved together.
import { el } from "./dom.js";
import { Picture } from "./picture.js";
import { takenDay } from "./words.js";

export const MOST_PANES = 12;

/** Return at most `count` of these images, evenly spread over time, the first and the last and the one in sight among them. */
export function spread(course, id, count) {
  if (course.length <= count) return course;
  const last = course.length - 1;
  const chosen = new Set(Array.from({ length: count }, (_, at) => Math.round((at * last) / (count - 1))));
  const here = course.findIndex((each) => each.id === id);
  if (!chosen.has(here)) {
    const inner = [...chosen].filter((at) => at > 0 && at < last);
    const nearest = (inner.length ? inner : [0]).reduce((best, at) => (Math.abs(at - here) < Math.abs(best - here) ? at : best));
    chosen.delete(nearest);
    chosen.add(here);
  }
  return course.filter((_, at) => chosen.has(at));
}

export class Panes {
  /** `swiped` gets the direction of a finger, `opened` the id of the image of a pane that was chosen, `pointed` the crystal in the image that is scored. */
  constructor(element, { swiped, opened, pointed }) {
    this.element = element;
    this.swiped = swiped;
    this.pointed = (picture, number, touched) => picture === this.current && pointed(number, touched);
    this.opened = opened;
    this.pictures = [];
    this.pen = null;
    this.grow(1);
    this.choose(this.pictures[0]);
  }

  grow(count) {
    while (this.pictures.length < count) {
      const picture = new Picture({ moved: (one) => this.lead(one), shown: (one) => this.settle(one), swiped: this.swiped, pointed: this.pointed });
      const caption = el("button", { type: "button", className: "caption" });
      caption.addEventListener("click", () => this.opened(picture.drop.id));
      picture.caption = caption;
      picture.pane = el("div", { className: "pane" }, picture.stage, caption);
      picture.take(this.pen);
      this.pictures.push(picture);
    }
    this.pictures.length = count;
    this.element.replaceChildren(...this.pictures.map((picture) => picture.pane));
    this.element.dataset.count = String(count);
    this.element.classList.toggle("many", count > 1);
  }

  /** Show these images, the one in sight among them, each with its newest score of the machine. */
  show(shown, id, { machine }) {
    if (shown.length !== this.pictures.length) this.grow(shown.length);
    shown.forEach(({ drop, score }, at) => {
      const picture = this.pictures[at];
      picture.show(drop, score, { machine });
      const day = drop.imaged_at ? ` · ${takenDay(drop.imaged_at)}` : "";
      picture.caption.textContent = `Inspection ${drop.inspection}${day}`;
      picture.caption.toggleAttribute("aria-current", drop.id === id);
      picture.pane.classList.toggle("here", drop.id === id);
      if (drop.id === id) this.choose(picture);
    });
  }

  choose(picture) {
    this.current = picture;
    for (const each of this.pictures) each.stage.removeAttribute("id");
    picture.stage.id = "stage";
  }

  move(act) {
    this.current.move(act);
  }

  /** Have the other pictures show what one shows that somebody moved. */
  lead(leader) {
    for (const each of this.pictures) if (each !== leader && each.ready && each.lens.width && leader.lens.width) each.lens.follow(leader.lens);
  }

  /** Have a picture that just came into sight show what the others do. */
  settle(picture) {
    if (picture === this.current) this.lead(picture);
    else if (this.current.ready && this.current.lens.width && picture.lens.width) picture.lens.follow(this.current.lens);
  }

  /** Draw with a tool on every picture, or with none. */
  take(pen) {
    this.pen = pen;
    for (const each of this.pictures) each.take(pen);
  }

  redraw() {
    for (const each of this.pictures) if (each.ready && each.lens.width) each.draw();
  }
}
