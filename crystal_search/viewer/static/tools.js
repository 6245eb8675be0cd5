// Tools that draw on pictures: a ruler, and marks; by pointers, or by keys in the middle of what is in sight.
import { lengthText, placeOf } from "./marks.js";

/** What a tool does while it is chosen. A touch makes a point, a drag a box or a line; the ruler takes two touches, too. */
export class Pen {
  /** `finished` gets the picture and the place of a mark; `redraw` is told when the draft is another. */
  constructor(kind, { finished, redraw }) {
    Object.assign(this, { kind, finished, redraw, corner: null, shown: null });
  }

  /** Return what is to be drawn on a picture that is no mark yet. */
  draft(picture) {
    return this.shown?.id === picture.drop.id ? this.shown : null;
  }

  drag(picture, from, to) {
    const { id, um_per_px: scale } = picture.drop;
    const text = lengthText(Math.hypot(to.row - from.row, to.column - from.column), scale);
    this.shown = { id, kind: this.kind, from, to, text, place: placeOf(from, to, picture.lens) };
    this.redraw();
  }

  drop(picture, from, to) {
    this.drag(picture, from, to);
    this.corner = null;
    if (this.kind === "measure") return;
    this.shown = null;
    this.finished(picture, placeOf(from, to, picture.lens));
  }

  tap(picture, at) {
    if (this.corner?.id === picture.drop.id) this.drop(picture, this.corner, at);
    else if (this.kind === "measure") this.begin(picture, at);
    else this.finished(picture, placeOf(at, at, picture.lens));
  }

  /** Put down the first corner of a box, or the first end of a line. */
  begin(picture, at) {
    this.drag(picture, at, at);
    this.corner = { ...at, id: picture.drop.id };
  }

  cancel() {
    this.corner = this.shown = null;
    this.redraw();
  }
}
