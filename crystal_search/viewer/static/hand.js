// Scoring by hand: who scores, which key means what, and giving the score.
import { byId, el, say } from "./dom.js";
import { postScore } from "./net.js";
import { outcomeOf, outcomes, placeText } from "./words.js";

const NAME = "crystal-search person";

/** Outcomes that a person can give, each with its key. */
export const byHand = [...outcomes.values()].filter((outcome) => outcome.key);

/** Return the outcome that a key press means, or null: the character on its button, wherever the keyboard has it, or Shift and a letter. */
export function outcomeOfKey(event) {
  const isLetter = event.shiftKey && /^[A-Z]$/.test(event.key);
  return byHand.find((outcome) => (isLetter ? outcome.letter : outcome.key) === event.key) ?? null;
}

export const person = () => localStorage.getItem(NAME) ?? "";

/** Keep the button that shows who scores up to date. */
export function showPerson() {
  const button = byId("person");
  const update = () => {
    button.textContent = person() ? `Scoring as ${person()}` : "Who scores?";
  };
  button.addEventListener("click", () => askPerson().then(update));
  update();
  return update;
}

/** Ask for the person's name; resolves to it, or to "" when the question is put aside. */
export function askPerson() {
  const field = el("input", { value: person(), maxLength: 100, required: true, autocomplete: "name", name: "person" });
  const no = el("button", { type: "button", textContent: "Not now" });
  const form = el(
    "form", { method: "dialog" },
    el("h2", { textContent: "Who scores?" }),
    el("label", {}, el("span", { textContent: "Your name stands beside every score you give, for good. This browser remembers it." })),
    field,
    el("div", { className: "actions" }, no, el("button", { className: "main", type: "submit", textContent: "Use this name" })),
  );
  field.setAttribute("aria-label", "Your name");
  const dialog = el("dialog", {}, form);
  document.body.append(dialog);
  dialog.showModal();
  field.select();
  return new Promise((resolve) => {
    form.addEventListener("submit", () => {
      if (field.value.trim()) localStorage.setItem(NAME, field.value.trim());
    });
    no.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      byId("person")?.dispatchEvent(new Event("named"));
      resolve(person());
    });
  });
}

/** Give a score; resolves to the image with its scores, or to null when it was not given. */
export async function giveScore(drop, outcome, comment = "") {
  const name = person() || (await askPerson());
  if (!name) return null;
  try {
    const scored = await postScore({ image_id: drop.id, outcome, person: name, comment });
    say(`${placeText(drop)}: ${outcomeOf(outcome).label} · u to correct`);
    return scored;
  } catch (error) {
    say(`The score was not saved: ${error.message}`, { error: true });
    return null;
  }
}

/** What the last scores replaced, newest last, over pages: [{id, before}]. */
const UNDO = "scores to undo";

/** Remember what a score replaced. */
export function rememberScore(id, before) {
  const kept = [...recallScores(), { id, before }].slice(-200);
  sessionStorage.setItem(UNDO, JSON.stringify(kept));
}

const recallScores = () => JSON.parse(sessionStorage.getItem(UNDO) ?? "[]");

function takeLastScore() {
  const kept = recallScores();
  const last = kept.pop() ?? null;
  sessionStorage.setItem(UNDO, JSON.stringify(kept));
  return last;
}

/**
 * Correct the score that was given last. `open(id)` resolves to the drop once it is in sight, or to null.
 * The former score is given once more, on top; nothing is ever deleted. Resolves to the scored image or null.
 */
export async function correctLast(open) {
  const last = takeLastScore();
  const drop = last && (await open(last.id));
  if (!last) say("There is nothing to correct.");
  else if (!drop) say("The drop that was scored last is not here.");
  else if (!last.before) say("It had no score before, and scores are never deleted: give the right one.");
  else return giveScore(drop, last.before, "correction");
  return null;
}
