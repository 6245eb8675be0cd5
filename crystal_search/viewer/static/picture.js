// The whole image with what the machine saw on it; wheel and drag zoom and move it.
import { el, svg } from "./dom.js";
import { imageAddress } from "./net.js";
import { describe, outcomeOf, percent } from "./words.js";

const MAX_SCALE = 12;
const STEP = 1.25;
const MAGNIFIED = 2.5; // from here on pixels are shown as squares

export class Picture {
  constructor(stage) {
    this.stage = stage;
    this.ready = false;
    this.image = el("img", { draggable: false, alt: "" });
    this.overlay = svg("svg", { "aria-hidden": "true" });
    this.sheet = el("div", { className: "sheet", role: "img" }, this.image, this.overlay);
    this.failed = el("div", { className: "failed", hidden: true });
    const button = (text, label, act) => {
      const made = el("button", { type: "button", textContent: text, title: label, "aria-label": label });
      made.addEventListener("click", act);
      return made;
    };
    const zoom = el(
      "div", { className: "zoom" },
      button("−", "Smaller (-)", () => this.zoomBy(1 / STEP)),
      button("+", "Larger (+)", () => this.zoomBy(STEP)),
      button("Fit", "The whole image (r)", () => this.fit()),
      button("Drop", "Only the drop (z)", () => this.fitDrop()),
    );
    stage.replaceChildren(this.sheet, this.failed, zoom);
    this.image.addEventListener("load", () => this.loaded());
    this.image.addEventListener("error", () => this.broken());
    this.listen();
  }

  /** Show an image with the newest of the machine's scores, or null, on it. */
  show(drop, score, { machine = true } = {}) {
    if (this.drop && drop.id !== this.drop.id) this.leave(drop);
    this.drop = drop;
    this.score = score;
    const address = imageAddress(drop);
    this.sheet.setAttribute("aria-label", describe({ ...drop, auto: score, people: [], comments: [] }, { machine }));
    if (this.image.getAttribute("src") !== address) {
      // The old image must go at once: it would stand under the new drop's name.
      this.ready = false;
      this.sheet.hidden = true;
      this.failed.hidden = true;
      this.overlay.replaceChildren();
      this.image.src = address;
    } else if (this.image.complete && this.image.naturalWidth) {
      this.draw();
    }
  }

  /** Remember what part of the image is in sight, for the same drop in another channel or at another time. */
  leave(next) {
    const same = ["plate", "row", "column", "drop"].every((part) => next[part] === this.drop[part]);
    if (!same) this.kept = null;
    if (!same || !this.ready || this.isFit || !this.image.naturalWidth) return;
    const [width, height] = [this.scale * this.image.naturalWidth, this.scale * this.image.naturalHeight];
    this.kept = { x: (this.stage.clientWidth / 2 - this.x) / width, y: (this.stage.clientHeight / 2 - this.y) / height, width };
  }

  /** Show the same part again, of an image that may have another size. */
  restore({ x, y, width }) {
    const { naturalWidth, naturalHeight } = this.image;
    const scale = width / naturalWidth;
    this.isFit = this.onDrop = false;
    this.place(scale, this.stage.clientWidth / 2 - x * naturalWidth * scale, this.stage.clientHeight / 2 - y * naturalHeight * scale);
  }

  loaded() {
    this.sheet.hidden = false;
    const { naturalWidth: width, naturalHeight: height } = this.image;
    this.sheet.style.width = `${width}px`;
    this.sheet.style.height = `${height}px`;
    this.overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const isNew = this.size !== `${width} ${height}`;
    this.size = `${width} ${height}`;
    if (this.kept) this.restore(this.kept);
    else if (this.onDrop && !isNew) this.fitDrop();
    else if (isNew) this.fit();
    this.kept = null;
    this.draw();
    this.setReady();
  }

  /** From now on people see which drop they score. */
  setReady() {
    this.ready = true;
    this.stage.dataset.shown = String(this.drop.id);
  }

  broken() {
    this.sheet.hidden = true;
    this.size = null;
    this.failed.hidden = false;
    this.failed.textContent = "The image file is missing or cannot be read.";
    this.setReady();
  }

  draw() {
    const parts = [];
    if (this.score?.outline?.length) {
      parts.push(svg("polygon", { class: "outline", points: this.score.outline.map(([row, column]) => `${column},${row}`).join(" ") }));
    }
    // The best chop comes first in the score and is drawn last, on top.
    for (const chop of [...(this.score?.best_chops ?? [])].reverse()) parts.push(this.chop(chop));
    this.overlay.replaceChildren(...parts);
  }

  chop({ box: [top, left, bottom, right], outcome, probability }) {
    const place = { x: left, y: top, width: right - left, height: bottom - top };
    const text = svg("text", { x: left, y: top, dx: ".4em", dy: "1.25em" });
    text.textContent = `${outcomeOf(outcome).letter} ${percent(probability)}`;
    return svg("g", { class: `chop is-${outcome}` }, svg("rect", { ...place, class: "halo" }), svg("rect", place), text);
  }

  /** Show the whole image. */
  fit() {
    this.onDrop = false;
    this.isFit = true;
    this.fitBox([0, 0, this.image.naturalHeight, this.image.naturalWidth], 1);
  }

  /** Show the drop as large as it fits. */
  fitDrop() {
    const box = this.score?.drop_box;
    if (!box) return this.fit();
    const { naturalWidth: width, naturalHeight: height } = this.image;
    this.onDrop = true;
    this.isFit = false;
    return this.fitBox([box[0] * height, box[1] * width, box[2] * height, box[3] * width], 0.94);
  }

  fitBox([top, left, bottom, right], share) {
    const { clientWidth, clientHeight } = this.stage;
    const scale = share * Math.min(clientWidth / (right - left), clientHeight / (bottom - top));
    this.place(scale, clientWidth / 2 - (scale * (left + right)) / 2, clientHeight / 2 - (scale * (top + bottom)) / 2);
  }

  /** Keep in sight what was, now that the stage has another size. */
  resized() {
    if (this.onDrop) this.fitDrop();
    else if (this.isFit) this.fit();
    else this.place(this.scale, this.x, this.y);
  }

  place(scale, x, y) {
    if (!Number.isFinite(scale) || scale <= 0) return;
    Object.assign(this, { scale, x, y });
    this.sheet.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.overlay.style.setProperty("--unit", String(1 / scale));
    this.stage.classList.toggle("magnified", scale >= MAGNIFIED);
    this.stage.dataset.scale = scale.toFixed(3);
  }

  /** Zoom about a point of the stage, by default its middle. */
  zoomBy(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const least = 0.5 * Math.min(this.stage.clientWidth / this.image.naturalWidth, this.stage.clientHeight / this.image.naturalHeight);
    const scale = Math.min(MAX_SCALE, Math.max(least, this.scale * factor));
    const ratio = scale / this.scale;
    this.isFit = this.onDrop = false;
    this.place(scale, x - (x - this.x) * ratio, y - (y - this.y) * ratio);
  }

  listen() {
    const { stage } = this;
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      const at = stage.getBoundingClientRect();
      this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), event.clientX - at.left, event.clientY - at.top);
    }, { passive: false });
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.target.closest("button")) return;
      this.from = { x: event.clientX - this.x, y: event.clientY - this.y };
      stage.setPointerCapture(event.pointerId);
      stage.classList.add("dragging");
    });
    stage.addEventListener("pointermove", (event) => {
      if (!this.from) return;
      this.isFit = this.onDrop = false;
      this.place(this.scale, event.clientX - this.from.x, event.clientY - this.from.y);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      stage.addEventListener(name, () => {
        this.from = null;
        stage.classList.remove("dragging");
      });
    }
    stage.addEventListener("dblclick", (event) => event.target.closest("button") || this.fit());
    new ResizeObserver(() => this.size && this.resized()).observe(stage);
  }
}
