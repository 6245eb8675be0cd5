// The small picture in the corner that shows which part of the large one is in sight, while that is not all of it.
import { el } from "./dom.js";
import { thumbnailAddress } from "./net.js";

const percent = (fraction) => `${100 * fraction}%`;

export class Navigator {
  /** `look` gets the place that somebody points at, in fractions of the picture. */
  constructor(look) {
    this.image = el("img", { alt: "", draggable: false });
    this.sight = el("div", { className: "sight" });
    this.element = el("div", { className: "navigator", hidden: true, "aria-hidden": "true" }, this.image, this.sight);
    const point = (event) => {
      const box = this.element.getBoundingClientRect();
      look({ x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
    };
    this.element.addEventListener("pointerdown", (event) => {
      this.element.setPointerCapture(event.pointerId);
      point(event);
    });
    this.element.addEventListener("pointermove", (event) => this.element.hasPointerCapture(event.pointerId) && point(event));
  }

  show(drop) {
    this.image.src = thumbnailAddress(drop);
  }

  update(lens) {
    const { width, height } = lens.room;
    const shown = { width: lens.scale * lens.width, height: lens.scale * lens.height };
    this.element.hidden = shown.width <= width + 1 && shown.height <= height + 1;
    this.element.style.aspectRatio = String(lens.width / lens.height);
    Object.assign(this.sight.style, {
      left: percent(-lens.x / shown.width), top: percent(-lens.y / shown.height),
      width: percent(width / shown.width), height: percent(height / shown.height),
    });
  }
}
