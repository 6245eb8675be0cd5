// What is in sight of a drop: one image or several inspections side by side, a film of them, and the tool in hand.
import { sayFrame, setUpBench, showBench } from "./bench.js";
import { say } from "./dom.js";
import { Film, SPEEDS } from "./film.js";
import { getJson } from "./net.js";
import { MOST_PANES, Panes, spread } from "./panes.js";
import { Pen } from "./tools.js";

const BESIDE = "beside"; // in the address: how many inspections stand side by side
const AT_FIRST = 4;
const KEPT = 4 * MOST_PANES;

export class Sight {
  /**
   * `now()` says what the page shows: `drop`, `siblings`, `score` and whether all of the machine's is shown.
   * `scoreOf(told)` is the machine's score of another image, `open(id)` goes to one, `step(by)` to another drop,
   * `mark(drop, kind, place)` marks, `changed()` is told when the address is another, `failed(error)` of errors,
   * `pointed(number, touched)` at which crystal somebody points.
   */
  constructor(element, on) {
    this.on = on;
    const asked = Number(new URLSearchParams(location.search).get(BESIDE));
    this.beside = Number.isInteger(asked) && asked > 1 ? Math.min(asked, MOST_PANES) : 1;
    this.tool = null;
    this.others = new Map(); // what is known of the images beside the one that is scored
    this.panes = new Panes(element, { swiped: on.step, opened: on.open, pointed: on.pointed });
    this.film = new Film({ show: (frame, image) => this.showFrame(frame, image), stopped: (frame) => this.filmStopped(frame) });
    setUpBench({ act: on.act, besideChosen: (count) => this.showBeside(count), speedChosen: (speed) => this.setSpeed(speed) });
  }

  /** What the address must say. */
  get parameters() {
    return this.beside > 1 ? { [BESIDE]: this.beside } : {};
  }

  /** Why the drop in sight cannot be scored now; empty when it can. */
  get whyNotReady() {
    if (this.film.plays) return "stop the film first (k).";
    return this.panes.current.ready ? "" : "the image was not there yet.";
  }

  get course() {
    const { drop, siblings } = this.on.now();
    return siblings.filter((each) => each.channel === drop.channel);
  }

  /** Show the image that is scored, and those beside it; a film goes on. */
  show() {
    const { drop, siblings, score, machine } = this.on.now();
    showBench({ drop, siblings, beside: this.beside, film: this.film, tool: this.tool });
    if (this.film.plays) return;
    const here = ({ id }) => id === drop.id;
    const chosen = this.beside > 1 && this.course.some(here) ? spread(this.course, drop.id, this.beside) : [drop];
    const shown = chosen.map((each) => {
      if (here(each)) return { drop, score };
      const told = this.others.get(each.id);
      return { drop: told ?? each, score: told ? this.on.scoreOf(told) : null };
    });
    this.panes.show(shown, drop.id, { machine });
    this.fetch(chosen.filter((each) => !here(each) && !this.others.has(each.id))).catch(this.on.failed);
  }

  /** Ask for what is to be drawn on the images beside the one that is scored. */
  async fetch(missing) {
    if (!missing.length) return;
    const found = await Promise.all(missing.map((each) => getJson(`/api/drop/${each.id}`)));
    if (this.others.size > KEPT) this.others.clear();
    for (const each of found) this.others.set(each.id, each);
    this.show();
  }

  /** Take over what the server says now of an image beside the one that is scored. */
  takeOver(told) {
    if (this.others.has(told.id)) this.others.set(told.id, told);
    this.show();
  }

  showBeside(count) {
    this.beside = count;
    this.on.changed();
  }

  toggleBeside() {
    this.showBeside(this.beside > 1 ? 1 : Math.min(Math.max(this.course.length, 2), AT_FIRST));
  }

  showFrame(frame, image) {
    this.panes.current.showFrame(frame, image);
    sayFrame(frame, this.course);
  }

  toggleFilm() {
    if (this.film.plays) this.film.stop();
    else if (this.course.length > 1) {
      this.choose(null);
      this.film.play(this.course, this.on.now().drop.id).catch(this.on.failed);
      this.show();
    }
  }

  filmStopped(frame) {
    sayFrame(null);
    if (frame.id === this.on.now().drop.id) this.show();
    else this.on.open(frame.id);
  }

  /** Show no film any more, for the page goes to another image. */
  endFilm() {
    this.film.end();
    sayFrame(null);
  }

  setSpeed(speed) {
    this.film.speed = speed;
    this.show();
  }

  faster(by) {
    this.setSpeed(SPEEDS[Math.min(Math.max(SPEEDS.indexOf(this.film.speed) + by, 0), SPEEDS.length - 1)]);
  }

  /** Show the same inspection in the next channel: visible, UV, polarised, and so on. */
  nextLight() {
    const { drop, siblings } = this.on.now();
    const lights = siblings.filter((each) => each.inspection === drop.inspection);
    const next = lights[(lights.findIndex((each) => each.id === drop.id) + 1) % lights.length];
    if (next) this.on.open(next.id);
  }

  /** Take a tool, or lay it aside if it is taken. */
  choose(name) {
    this.tool = name === this.tool ? null : name;
    if (this.tool && this.film.plays) this.film.stop();
    const { tool } = this;
    this.panes.take(tool && new Pen(tool, {
      finished: (picture, place) => this.on.mark(picture.drop, tool, place),
      redraw: () => this.panes.redraw(),
    }));
    this.show();
    const { drop } = this.on.now();
    if (tool === "measure" && !drop.um_per_px) say(`Lengths are in pixels: nobody has said how large a pixel of imager “${drop.imager}” is.`);
  }

  /** Whether a film plays, or a tool is taken. */
  get hasInHand() {
    return this.film.plays || this.tool !== null;
  }

  /** Stop the film, or lay the tool aside. */
  leave() {
    if (this.film.plays) this.film.stop();
    else this.choose(null);
  }

  /** Use the tool in the middle of what is in sight, for who has no pointer. */
  use({ corner }) {
    const { current, pen } = this.panes;
    if (!current.ready || !current.lens.width) return;
    if (corner) pen.begin(current, current.lens.middle);
    else pen.tap(current, current.lens.middle);
  }

  move(act) {
    this.panes.move(act);
  }
}
