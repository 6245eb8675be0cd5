// What is in a drop, and whose its plate is.
import { byId, el } from "./dom.js";

/** Show what is in a drop, ingredient by ingredient; nothing where nobody says so. */
export function showCondition(drop) {
  byId("in-the-drop").hidden = !drop.condition;
  if (!drop.condition) return;
  byId("condition-name").textContent = drop.condition_name;
  byId("in-the-drop").title = `as ${drop.condition_source} says`;
  const parts = drop.ingredients.length ? drop.ingredients : [{ text: drop.condition, role: "" }];
  byId("ingredients").replaceChildren(...parts.map(({ text, role }) => el("li", {}, el("span", { textContent: text }), el("span", { className: "role", textContent: role }))));
}

/** Return what is known of a plate besides its images, as pairs of a name and a text. */
export function factsOf({ project, protein, owner, people, plate_type }) {
  const facts = [["Project", project], ["Protein", protein], ["Owner", owner], ["People", (people ?? []).join(", ")], ["Plate type", plate_type]];
  return facts.filter(([, text]) => text);
}
