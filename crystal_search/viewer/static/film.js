// The inspections of a drop as a film.
import { imageAddress } from "./net.js";

export const SPEEDS = [0.5, 1, 2, 4, 8]; // images a second
const CALM = 1; // at most so many, and once only, for who wants less motion
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Film {
  /** `show` gets an image of the course and its picture, `stopped` the one at which the film was stopped. */
  constructor({ show, stopped }) {
    Object.assign(this, { show, stopped, speed: 2, frames: null, timer: null });
  }

  get plays() {
    return this.frames !== null;
  }

  /** Play these images from one of them on, from the start where it is the last. */
  async play(course, id) {
    const frames = course.map((drop) => ({ drop, image: pictureOf(drop) }));
    this.frames = frames;
    this.at = course.findIndex((each) => each.id === id);
    if (this.at === frames.length - 1) this.at = -1;
    await this.next(frames);
  }

  async next(frames) {
    if (this.frames !== frames) return;
    const ends = this.at === frames.length - 1;
    if (ends && calm.matches) {
      this.stop();
      return;
    }
    const at = ends ? 0 : this.at + 1;
    const frame = frames[at];
    const came = await frame.image.decode().then(() => true, () => false);
    if (this.frames !== frames) return;
    this.at = at;
    if (came) this.show(frame.drop, frame.image);
    this.timer = setTimeout(() => this.next(frames), 1000 / (calm.matches ? Math.min(this.speed, CALM) : this.speed));
  }

  /** Stop at the image that is in sight. */
  stop() {
    const frame = this.frames?.[Math.max(0, this.at)];
    this.end();
    if (frame) this.stopped(frame.drop);
  }

  /** Stop, for the page shows something else. */
  end() {
    clearTimeout(this.timer);
    this.frames = null;
  }
}

function pictureOf(drop) {
  const image = new Image();
  image.draggable = false;
  image.alt = "";
  image.src = imageAddress(drop);
  return image;
}
