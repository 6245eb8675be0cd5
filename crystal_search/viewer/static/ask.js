// The second half of an answer: which kind of crystal, or what it is instead. Nothing is written before it.
import { byId, el } from "./dom.js";
import { byHand } from "./hand.js";
import { autoBadge, buttonLabel } from "./words.js";

const DEAF_MS = 350; // a second tap of a double tap, or a finger that comes off, answers nothing

const QUESTIONS = {
  crystal: { says: "Which crystals?", of: (outcome) => outcome.group === "crystal", first: "crystal_harvestable" },
  none: { says: "What is it?", of: (outcome) => outcome.group !== "crystal", first: null },
};

/** A question that is asked below the picture; `answer` is called with an outcome's name. */
export class Question {
  constructor(answer) {
    this.answer = answer;
    this.asked = null;
    this.at = 0;
  }

  ask(kind) {
    const { says, of, first } = QUESTIONS[kind];
    [this.asked, this.at] = [kind, performance.now()];
    byId("asked").textContent = says;
    byId("answers").replaceChildren(...byHand.filter(of).map((outcome) => this.button(outcome)), this.cancel());
    byId("ask").hidden = false;
    byId("acts").hidden = true;
    byId("answers").querySelector(first ? `[data-outcome="${first}"]` : ".quiet").focus(); // without a first kind Enter answers nothing;
  }

  button(outcome) {
    const made = el("button", { type: "button", title: outcome.label }, el("kbd", { textContent: outcome.key }), autoBadge({ outcome: outcome.name, probability: null }), el("span", { textContent: buttonLabel(outcome) }));
    made.dataset.outcome = outcome.name;
    made.addEventListener("click", (event) => {
      if (!event.detail || !this.isDeaf) this.answer(outcome.name); // detail 0: by a key
    });
    made.addEventListener("keydown", (event) => event.repeat && event.preventDefault());
    return made;
  }

  cancel() {
    const made = el("button", { type: "button", className: "quiet", textContent: "Not now (Esc)" });
    made.addEventListener("click", () => this.close());
    return made;
  }

  get isDeaf() {
    return performance.now() - this.at < DEAF_MS;
  }

  /** The key that asked for crystals, pressed again, takes the first kind; no key takes one of the others. */
  again(kind) {
    if (kind === this.asked && QUESTIONS[kind].first) this.answer(QUESTIONS[kind].first);
    else if (kind !== this.asked) this.ask(kind);
  }

  close() {
    if (!this.asked) return;
    const focused = byId("ask").contains(document.activeElement);
    this.asked = null;
    byId("ask").hidden = true;
    byId("acts").hidden = false;
    if (focused) byId("yes").focus();
  }
}
