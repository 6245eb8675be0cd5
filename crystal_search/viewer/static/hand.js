// Scoring by hand: who scores, which key means what, giving a score, and taking it back.
import { byId, el, say } from "./dom.js";
import { postScore, postSeen, postTakingBack } from "./net.js";
import { outcomeOf, outcomes, placeText } from "./words.js";

const NAME = "crystal-search person";

/** Outcomes that a person can give, each with its key. */
export const byHand = [...outcomes.values()].filter((outcome) => outcome.key);

/** Return the outcome that a key press means, or null: the character on its button, wherever the keyboard has it, or Shift and a letter. */
export function outcomeOfKey(event) {
  const isLetter = event.shiftKey && /^[A-Z]$/.test(event.key);
  return byHand.find((outcome) => (isLetter ? outcome.letter : outcome.key) === event.key) ?? null;
}

/** Who is signed in, or "". */
const signedIn = () => document.getElementById("signed-in")?.textContent ?? "";

export const person = () => signedIn() || (localStorage.getItem(NAME) ?? "");

/** Keep the button that shows who scores up to date; whoever is signed in scores under that name. */
export function showPerson() {
  const button = byId("person");
  const update = () => {
    button.hidden = Boolean(signedIn());
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

/** Whether it is noted what was looked at: not where nobody said who they are, or nothing is written. */
export const isNoted = () => Boolean(person()) && !document.querySelector(".top .snapshot");

/** Note what this person has looked at. */
export async function noteSeen(looking) {
  if (isNoted()) await postSeen({ ...looking, person: person() });
}

/** Give a score; resolves to the image with its scores, or to null when it was not given. */
export async function giveScore(drop, outcome) {
  const name = person() || (await askPerson());
  if (!name) return null;
  try {
    const scored = await postScore({ image_id: drop.id, outcome, person: name });
    say(`${placeText(drop)}: ${outcomeOf(outcome).label} · u takes it back`);
    return scored;
  } catch (error) {
    say(`The score was not saved: ${error.message}`, { error: true });
    return null;
  }
}

/**
 * Take back one's own score that came last of `people`, which are a drop's newest scores of each person.
 * Resolves to the image with its scores, or to null when nothing was taken back.
 */
export async function takeBack(drop, people) {
  const own = people.find((score) => score.person === person());
  if (!own) {
    say(`${placeText(drop)} has no score of yours that could be taken back.`);
    return null;
  }
  try {
    const scored = await postTakingBack({ image_id: drop.id, score_id: own.id, person: own.person });
    say(`${placeText(drop)}: ${outcomeOf(own.outcome).label} is taken back.`);
    return scored;
  } catch (error) {
    say(`Nothing was taken back: ${error.message}`, { error: true });
    return null;
  }
}
