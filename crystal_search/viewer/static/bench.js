// The row of tools below the picture: measuring and marking, channels, inspections side by side and as a film.
import { byId, el, press } from "./dom.js";
import { SPEEDS } from "./film.js";
import { person } from "./hand.js";
import { MOST_PANES } from "./panes.js";
import { favouritesOf, takenDay } from "./words.js";

export const TOOLS = ["measure", "pick", "dispense"];

/** Fill the fields, and have each button do what its key does. */
export function setUpBench({ act, besideChosen, speedChosen }) {
  for (const [id, key] of [["tool-measure", "d"], ["tool-pick", "p"], ["tool-dispense", "e"], ["favourite", "s"], ["light", "l"], ["beside", "g"], ["film", "k"]]) {
    byId(id).addEventListener("click", () => act(key));
  }
  const choice = (value, text) => el("option", { value: String(value), textContent: text });
  byId("beside-count").replaceChildren(...Array.from({ length: MOST_PANES - 1 }, (_, at) => choice(at + 2, String(at + 2))));
  byId("beside-count").addEventListener("change", () => besideChosen(Number(byId("beside-count").value)));
  byId("speed").replaceChildren(...SPEEDS.map((each) => choice(each, `${each} / s`)));
  byId("speed").addEventListener("change", () => speedChosen(Number(byId("speed").value)));
}

/** Show what can be done with a drop, and what is done now. */
export function showBench({ drop, siblings, beside, film, tool }) {
  const channels = new Set(siblings.filter((each) => each.inspection === drop.inspection).map((each) => each.channel));
  const course = siblings.filter((each) => each.channel === drop.channel);
  for (const name of TOOLS) press(byId(`tool-${name}`), tool === name);
  const favourite = favouritesOf(drop);
  press(byId("favourite"), favourite.some((mark) => mark.person === person()));
  byId("favourite").title = favourite.length ? `A favourite of ${favourite.map((mark) => mark.person).join(", ")} (s)` : "Make it a favourite (s)";
  byId("light").hidden = channels.size < 2;
  byId("light").textContent = `Light: ${drop.channel}`;
  for (const id of ["beside", "film"]) byId(id).disabled = course.length < 2;
  press(byId("beside"), beside > 1);
  byId("beside-count").hidden = beside < 2;
  byId("beside-count").value = String(beside);
  press(byId("film"), film.plays);
  byId("speed").value = String(film.speed);
}

/** Say which inspection a film shows. */
export function sayFrame(frame, course) {
  const day = frame?.imaged_at ? `, ${takenDay(frame.imaged_at)}` : "";
  byId("frame").textContent = frame ? `${course.findIndex((each) => each.id === frame.id) + 1} of ${course.length}: inspection ${frame.inspection}${day}` : "";
}
