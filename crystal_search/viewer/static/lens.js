// Which part of a picture is in sight: its scale, and its place on a stage, in CSS pixels.
export const STEP = 1.25;
const MAX_SCALE = 12;

export class Lens {
  /** `placed` is called whenever the picture has another place. */
  constructor(stage, placed) {
    Object.assign(this, { stage, placed, width: 0, height: 0, isFit: true, onDrop: false, dropBox: null });
  }

  get room() {
    return { width: this.stage.clientWidth, height: this.stage.clientHeight };
  }

  /** Whether all of the picture's width is in sight, so that a finger that moves sideways wants another drop. */
  get isWhole() {
    return this.scale * this.width <= this.room.width + 1;
  }

  /** Show the whole picture. */
  fit() {
    this.onDrop = false;
    this.isFit = true;
    this.fitBox([0, 0, this.height, this.width], 1);
  }

  /** Show the drop as large as it fits; `dropBox` is in fractions of the picture. */
  fitDrop() {
    if (!this.dropBox) return this.fit();
    const [top, left, bottom, right] = this.dropBox;
    this.onDrop = true;
    this.isFit = false;
    return this.fitBox([top * this.height, left * this.width, bottom * this.height, right * this.width], 0.94);
  }

  fitBox([top, left, bottom, right], share) {
    const { width, height } = this.room;
    const scale = share * Math.min(width / (right - left), height / (bottom - top));
    this.place(scale, width / 2 - (scale * (left + right)) / 2, height / 2 - (scale * (top + bottom)) / 2);
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
    this.placed(this);
  }

  /** Zoom about a point of the stage, by default its middle. */
  zoomBy(factor, x = this.room.width / 2, y = this.room.height / 2) {
    const least = 0.5 * Math.min(this.room.width / this.width, this.room.height / this.height);
    const scale = Math.min(MAX_SCALE, Math.max(least, this.scale * factor));
    const ratio = scale / this.scale;
    this.isFit = this.onDrop = false;
    this.place(scale, x - (x - this.x) * ratio, y - (y - this.y) * ratio);
  }

  moveBy(x, y) {
    this.isFit = this.onDrop = false;
    this.place(this.scale, this.x + x, this.y + y);
  }

  /** Return what is in sight, for a picture of another size: its middle, and the picture's width as a share of the stage's. */
  where() {
    const { width, height } = this.room;
    const shown = { width: this.scale * this.width, height: this.scale * this.height };
    return { x: (width / 2 - this.x) / shown.width, y: (height / 2 - this.y) / shown.height, share: shown.width / width };
  }

  goTo({ x, y, share }) {
    const { width, height } = this.room;
    const scale = (share * width) / this.width;
    this.isFit = this.onDrop = false;
    this.place(scale, width / 2 - x * this.width * scale, height / 2 - y * this.height * scale);
  }

  /** Show the same part of this picture as another lens shows of its own. */
  follow(other) {
    if (other.isFit) this.fit();
    else this.goTo(other.where());
  }

  /** Return which place of the picture is at a point of the stage, in pixels of the picture as fractions. */
  pixelAt({ x, y }) {
    return { row: (y - this.y) / this.scale, column: (x - this.x) / this.scale };
  }

  /** Whether a place of the picture is in sight. */
  shows(row, column) {
    const { width, height } = this.room;
    const [x, y] = [this.x + column * this.scale, this.y + row * this.scale];
    return x >= 0 && x <= width && y >= 0 && y <= height;
  }

  get middle() {
    return this.pixelAt({ x: this.room.width / 2, y: this.room.height / 2 });
  }
}
