// The legends: every outcome that is there, how often, and a button that shows only it; and what other colours mean.
import { markBadge } from "./colouring.js";
import { el, press } from "./dom.js";
import { answersOf, classesBy, classesOf } from "./view.js";
import { autoBadge, groups, outcomes, shortLabel } from "./words.js";

function counted(drops, by) {
  const counts = new Map();
  for (const drop of drops) for (const name of new Set(answersOf(drop, by))) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function toggled(view, names) {
  const classes = classesOf(view);
  const all = names.every((name) => classes.has(name));
  for (const name of names) all ? classes.delete(name) : classes.add(name);
  return [...outcomes.keys()].filter((name) => classes.has(name)).join(",");
}

/** Fill `legend` with the outcomes of `drops`; a press calls `change` with the new classes. */
export function showLegend(legend, drops, view, change) {
  const focused = document.activeElement?.dataset?.names;
  const counts = counted(drops, classesBy(view));
  const classes = classesOf(view);
  const button = (names, className, ...content) => {
    const made = el("button", { type: "button", className }, ...content, el("span", { className: "n", textContent: String(names.reduce((sum, name) => sum + (counts.get(name) ?? 0), 0)) }));
    made.dataset.names = names.join(",");
    press(made, names.every((name) => classes.has(name)));
    made.addEventListener("click", () => change(toggled(view, names)));
    return made;
  };
  const one = (outcome, text) => button([outcome.name], "", autoBadge({ outcome: outcome.name, probability: null }), el("span", { textContent: text }));
  const families = groups.map((group) => {
    const members = [...outcomes.values()].filter((outcome) => outcome.group === group);
    const present = members.filter((outcome) => counts.get(outcome.name) || classes.has(outcome.name));
    const whole = button(members.map((outcome) => outcome.name), "whole", group);
    return el("span", { className: "family" }, whole, ...present.map((outcome) => one(outcome, shortLabel(outcome))));
  });
  const others = [...outcomes.values()].filter((outcome) => !outcome.group && (counts.get(outcome.name) || classes.has(outcome.name)));
  legend.replaceChildren(...families, el("span", { className: "family" }, ...others.map((outcome) => one(outcome, outcome.label))));
  if (focused) legend.querySelector(`[data-names="${focused}"]`)?.focus();
}

const TICKS = ["0", "25", "50", "75", "100 %"];

function scaleOf(colours) {
  const bar = el("span", { className: "bar-of-colours" });
  bar.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
  return el("span", { className: "scale" }, bar, ...TICKS.map((tick) => el("span", { className: "step", textContent: tick })));
}

/** Fill `legend` with what the colours of a colouring mean; it is hidden while they mean outcomes. */
export function showColours(legend, { title, keys, scale }) {
  legend.hidden = !title;
  const listed = keys.map((key) => el("li", {}, markBadge(key), el("span", { textContent: key.label ?? key.said }), el("span", { className: "n", textContent: String(key.count) })));
  legend.replaceChildren(el("b", { textContent: title }), ...(scale ? [scaleOf(scale)] : []), el("ul", {}, ...listed));
}
