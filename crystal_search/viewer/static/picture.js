// One image with what the machine saw and people marked on it; it can be zoomed and moved, by wheel, fingers and keys.
import { crystalAt, drawn } from "./crystals.js";
import { el, svg } from "./dom.js";
import { listen } from "./gestures.js";
import { Lens, STEP } from "./lens.js";
import { showMarks } from "./marks.js";
import { Navigator } from "./navigator.js";
import { imageAddress } from "./net.js";
import { directionOf } from "./swipe.js";
import { describe, outcomeOf, percent } from "./words.js";

const CROWDED = 0.15; // share of the image that numbers of crystals may cover; else only that is shown which stands out
const NUMBER_PX2 = 900; // that one of them covers
const MAGNIFIED = 2.5; // from here on pixels are shown as squares

export class Picture {
  /**
   * `on.moved` is told when somebody moves the picture, `on.swiped` the direction, `on.shown` when it is in sight,
   * `on.pointed` the number of the crystal at which somebody points, or null, and whether it was touched.
   */
  constructor(on) {
    this.on = on;
    this.ready = false;
    this.pen = null; // a tool that draws instead of moving the picture
    this.image = this.listened(el("img", { draggable: false, alt: "" }));
    this.overlay = svg("svg", { class: "of-machine-layer", "aria-hidden": "true" });
    this.marks = svg("svg", { class: "marks-layer", "aria-hidden": "true" });
    this.sheet = el("div", { className: "sheet", role: "img" }, this.image, this.overlay, this.marks);
    this.failed = el("div", { className: "failed", hidden: true });
    this.navigator = new Navigator(({ x, y }) => this.move((lens) => lens.goTo({ ...lens.where(), x, y })));
    this.stage = el("div", { className: "stage" }, this.sheet, this.failed, this.navigator.element, el("span", { className: "cross", "aria-hidden": "true" }), this.buttons());
    this.lens = new Lens(this.stage, () => this.placed());
    this.listen();
  }

  buttons() {
    const button = (text, label, act) => {
      const made = el("button", { type: "button", textContent: text, title: label, "aria-label": label });
      made.addEventListener("click", () => this.move(act));
      return made;
    };
    return el(
      "div", { className: "zoom" },
      button("−", "Smaller (-)", (lens) => lens.zoomBy(1 / STEP)),
      button("+", "Larger (+)", (lens) => lens.zoomBy(STEP)),
      button("Fit", "The whole image (r)", (lens) => lens.fit()),
      button("Drop", "Only the drop (z)", (lens) => lens.fitDrop()),
    );
  }

  listened(image) {
    image.addEventListener("load", () => image === this.image && this.loaded());
    image.addEventListener("error", () => image === this.image && this.broken());
    return image;
  }

  /** Move the picture as somebody wants it. */
  move(act) {
    act(this.lens);
    this.on.moved(this);
  }

  /** Show an image with the newest of the machine's scores, or null, on it. */
  show(drop, score, { machine = true } = {}) {
    if (this.drop && drop.id !== this.drop.id) this.leave(drop);
    if (drop.id !== this.drop?.id) this.number = null;
    this.drop = drop;
    this.score = score;
    this.lens.dropBox = score?.drop_box ?? null;
    const address = imageAddress(drop);
    this.sheet.setAttribute("aria-label", describe({ ...drop, auto: score, people: [], comments: [] }, { machine }));
    if (this.image.getAttribute("src") !== address) {
      // The old image must go at once: it would stand under the new drop's name.
      this.ready = false;
      this.sheet.hidden = true;
      this.failed.hidden = true;
      this.overlay.replaceChildren();
      this.marks.replaceChildren();
      this.navigator.show(drop);
      this.image.src = address;
    } else if (this.ready && this.image.naturalWidth) {
      this.draw(); // an image that has come but was not yet told so has no place: `loaded` draws on it
    }
  }

  /** Show one image of a film, which is loaded already, without anything on it. */
  showFrame(drop, image) {
    this.leave(drop);
    this.drop = drop;
    this.score = null;
    this.sheet.setAttribute("aria-label", describe({ ...drop, people: [], comments: [] }, { machine: false }));
    this.image.replaceWith(image);
    this.image = image;
    this.loaded();
  }

  /** Remember what part of the image is in sight, for the same drop in another channel or at another time. */
  leave(next) {
    const same = ["plate", "row", "column", "drop"].every((part) => next[part] === this.drop[part]);
    if (!same) this.kept = null;
    if (!same || !this.ready || this.lens.isFit || !this.lens.width) return;
    this.kept = this.lens.where();
  }

  loaded() {
    this.sheet.hidden = false;
    const { lens } = this;
    const { naturalWidth: width, naturalHeight: height } = this.image;
    const isNew = lens.width !== width || lens.height !== height;
    Object.assign(lens, { width, height });
    this.sheet.style.width = `${width}px`;
    this.sheet.style.height = `${height}px`;
    for (const layer of [this.overlay, this.marks]) layer.setAttribute("viewBox", `0 0 ${width} ${height}`);
    if (this.kept) lens.goTo(this.kept);
    else if (lens.onDrop && !isNew) lens.fitDrop();
    else if (isNew) lens.fit();
    this.kept = null;
    this.draw();
    this.setReady();
  }

  /** From now on people see which drop they score. */
  setReady() {
    this.ready = true;
    this.stage.dataset.shown = String(this.drop.id);
    this.on.shown(this);
  }

  broken() {
    this.sheet.hidden = true;
    this.lens.width = 0;
    this.failed.hidden = false;
    this.failed.textContent = "The image file is missing or cannot be read.";
    this.setReady();
  }

  draw() {
    const parts = [];
    if (this.score?.outline?.length) {
      parts.push(svg("polygon", { class: "outline", points: this.score.outline.map(([row, column]) => `${column},${row}`).join(" ") }));
    }
    // The best chop comes first in the score and is drawn last, on top; no frame crosses a text.
    const chops = [...(this.score?.best_chops ?? [])].reverse();
    parts.push(...chops.map((chop) => this.frame(chop)), ...chops.map((chop) => this.said(chop)), ...drawn(this.score?.crystals));
    this.overlay.replaceChildren(...parts);
    this.placed();
    this.standOut(this.number ?? null);
    showMarks(this.marks, this.drop.marks ?? [], this.pen?.draft(this) ?? null);
  }

  frame({ box: [top, left, bottom, right], outcome }) {
    const place = { x: left, y: top, width: right - left, height: bottom - top };
    return svg("g", { class: `chop is-${outcome}` }, svg("rect", { ...place, class: "halo" }), svg("rect", place));
  }

  said({ box: [top, left], outcome, probability }) {
    const text = svg("text", { class: "chop-said", x: left, y: top, dx: ".4em", dy: "1.25em" });
    text.textContent = `${outcomeOf(outcome).letter} ${percent(probability)}`;
    return text;
  }

  /** Have one of the crystals stand out, or none for null. */
  standOut(number) {
    this.number = number;
    for (const shape of this.overlay.querySelectorAll(".crystal")) {
      if (shape.classList.toggle("here", shape.dataset.number === String(number))) this.overlay.append(shape); // on top
    }
  }

  /** Have a crystal be in sight, in the middle if it was not. */
  goToCrystal(number) {
    const crystal = this.score?.crystals?.find((each) => each.crystal === number);
    if (!crystal || !this.lens.width) return;
    const [row, column] = [crystal.middle_row_px, crystal.middle_column_px];
    if (!this.lens.shows(row, column)) this.move((lens) => lens.goTo({ ...lens.where(), x: column / lens.width, y: row / lens.height }));
  }

  pointAt(point, touched = false) {
    if (this.pen || !this.lens.width) return;
    const found = point && crystalAt(this.score?.crystals, this.lens.pixelAt(point));
    this.on.pointed(this, found?.crystal ?? null, touched);
  }

  placed() {
    const { scale, x, y, isWhole } = this.lens;
    if (!scale) return; // the picture has no place yet, as where it is shown before the page is laid out
    this.sheet.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    for (const layer of [this.overlay, this.marks]) layer.style.setProperty("--unit", String(1 / scale));
    this.stage.classList.toggle("magnified", scale >= MAGNIFIED);
    this.stage.classList.toggle("whole", isWhole && !this.pen);
    this.stage.dataset.scale = scale.toFixed(3);
    const room = CROWDED * scale ** 2 * this.lens.width * this.lens.height;
    this.overlay.classList.toggle("crowded", (this.score?.crystals?.length ?? 0) * NUMBER_PX2 > room);
    this.navigator.update(this.lens);
  }

  /** Draw with a tool from now on, or move the picture again for null. */
  take(pen) {
    this.pen = pen;
    this.stage.classList.toggle("drawing", pen !== null);
    if (!this.lens.width) return;
    this.placed();
    this.draw();
  }

  listen() {
    const { stage, lens } = this;
    let before = null; // what was in sight before a finger came
    const pixel = (point) => lens.pixelAt(point);
    listen(stage, {
      begin: () => {
        before = { isWhole: lens.isWhole, back: [lens.scale, lens.x, lens.y, lens.isFit, lens.onDrop] };
      },
      drag: (point, by, from) => {
        if (this.pen) this.pen.drag(this, pixel(from), pixel(point));
        else this.move(() => lens.moveBy(by.x, from.touch && before.isWhole ? 0 : by.y));
      },
      end: (point, from) => {
        if (this.pen) from.moved ? this.pen.drop(this, pixel(from), pixel(point)) : this.pen.tap(this, pixel(point));
        else if (!from.moved) this.pointAt(point, true);
        else if (from.touch && before.isWhole) this.swipe(directionOf(point.x - from.x, point.y - from.y), before.back);
      },
      cancel: () => {
        if (this.pen) this.pen.cancel();
        else if (before.isWhole) this.goBack(before.back);
      },
      zoom: (factor, { x, y }) => this.move(() => lens.zoomBy(factor, x, y)),
      shift: ({ x, y }) => this.move(() => lens.moveBy(x, y)),
    });
    stage.addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch" || event.buttons) return;
      const box = stage.getBoundingClientRect();
      this.pointAt({ x: event.clientX - box.left, y: event.clientY - box.top });
    });
    stage.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && this.pointAt(null));
    stage.addEventListener("dblclick", (event) => this.pen || event.target.closest("button") || this.move(() => lens.fit()));
    new ResizeObserver(() => {
      if (!lens.width) return;
      lens.resized();
      this.on.shown(this);
    }).observe(stage);
  }

  /** Put the picture back from where a finger moved it, and go to another drop if it moved far. */
  swipe(direction, back) {
    this.goBack(back);
    if (direction === "left") this.on.swiped(1);
    if (direction === "right") this.on.swiped(-1);
  }

  goBack([scale, x, y, isFit, onDrop]) {
    Object.assign(this.lens, { isFit, onDrop });
    this.lens.place(scale, x, y);
    this.on.moved(this);
  }
}
