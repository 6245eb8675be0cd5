// What the colours of frames mean: each entry of `COLOURINGS` is one way to colour, the first as frames are by default.
import { el } from "./dom.js";
import { groupOf, groups, newestByHand, outcomeOf, outcomes, percent } from "./words.js";

/*
 * An entry has a label and `make(drops, view)`, which returns
 *   mark(drop): null for the frame of the outcome, or { colour, text, said }: `text` stands on the thumbnail, for no
 *     colour speaks alone, and `said` is what it means;
 *   title and keys: the legend, one mark with its count for each colour, and a shorter label where there is one;
 *   scale: the colours of a legend from 0 to 100 %, instead of keys for each.
 */

const NOTHING = "#5f6670"; // frames of drops of which nothing can be said
const DARK_INK = "#000000";
const LIGHT_INK = "#ffffff";

// Eleven steps of viridis, from 0 to 1 (Smith, van der Walt, Firing, matplotlib, CC0): lightness grows evenly, and it
// reads the same to people who tell no red from green.
const VIRIDIS = ["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"];

// Eight colours that colour-blind people tell apart (Okabe and Ito, 2008).
const APART = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#b0b0b0"];

const channels = (colour) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));

/** Return the colour of a probability. */
export function gradient(probability) {
  const at = Math.min(1, Math.max(0, probability)) * (VIRIDIS.length - 1);
  const [low, high] = [VIRIDIS[Math.floor(at)], VIRIDIS[Math.ceil(at)]].map(channels);
  return `#${low.map((part, index) => Math.round(part + (high[index] - part) * (at % 1)).toString(16).padStart(2, "0")).join("")}`;
}

/** Return black or white, whichever reads better on `colour` (WCAG 2.1). */
export function inkOn(colour) {
  const [red, green, blue] = channels(colour).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return 1.05 / (light + 0.05) >= (light + 0.05) / 0.05 ? LIGHT_INK : DARK_INK;
}

/** Return a colouring of drops by one of several kinds: each drop is of the kind that `kindOf` names. */
function byKind(drops, title, kinds, kindOf) {
  const counts = new Map();
  for (const drop of drops) counts.set(kindOf(drop), (counts.get(kindOf(drop)) ?? 0) + 1);
  const keys = Object.entries(kinds).filter(([name]) => counts.get(name)).map(([name, kind]) => ({ ...kind, count: counts.get(name) }));
  return { mark: (drop) => kinds[kindOf(drop)], title, keys };
}

/** Names of what has a probability: groups, then classes. */
export const CHANCES = [...groups, ...[...outcomes.values()].filter(({ group }) => group).map(({ name }) => name)];
export const chanceLabel = (name) => (groups.includes(name) ? `${name}, best chop` : outcomeOf(name).label);

function chance({ auto }, name) {
  if (!auto?.group_peaks.length) return null;
  return groups.includes(name) ? auto.group_peaks[groups.indexOf(name)] : auto.class_probabilities[CHANCES.indexOf(name) - groups.length];
}

function byProbability(drops, { of }) {
  const title = `P(${chanceLabel(of)})`;
  const without = { colour: NOTHING, text: "·", said: `${title}: none` };
  function mark(drop) {
    const value = chance(drop, of);
    return value === null ? without : { colour: gradient(value), text: String(Math.round(100 * value)), said: `${title}: ${percent(value)}` };
  }
  const none = drops.filter((drop) => chance(drop, of) === null).length;
  return { mark, title, scale: VIRIDIS, keys: none ? [{ ...without, said: "no probability", count: none }] : [] };
}

/** Return short texts for names, each another: "AL", and where two would be the same "AL2". */
function initials(names) {
  const seen = new Map();
  return names.map((name) => {
    const words = name.split(/\s+/);
    const text = (words.length > 1 ? words[0][0] + words.at(-1)[0] : name.slice(0, 2)).toUpperCase();
    seen.set(text, (seen.get(text) ?? 0) + 1);
    return seen.get(text) > 1 ? `${text}${seen.get(text)}` : text;
  });
}

function byPerson(drops) {
  const names = [...new Set(drops.flatMap((drop) => newestByHand(drop)?.person ?? []))].sort();
  const texts = initials(names);
  const people = names.map((name, at) => [`by ${name}`, { colour: APART[at % APART.length], text: texts[at], said: `by hand last: ${name}`, label: name }]);
  const kinds = Object.fromEntries([...people, ["nobody", { colour: NOTHING, text: "·", said: "nobody" }]]);
  return byKind(drops, "Who scored last", kinds, (drop) => (newestByHand(drop) ? `by ${newestByHand(drop).person}` : "nobody"));
}

const CHANGES = {
  newly: { colour: "#d55e00", text: "+", said: "newly crystal" },
  gone: { colour: "#f0e442", text: "−", said: "crystal no longer" },
  changed: { colour: "#56b4e9", text: "~", said: "another group" },
  same: { colour: "#b0b0b0", text: "=", said: "the same group" },
  first: { colour: "#009e73", text: "1", said: "scored for the first time" },
  unscored: { colour: NOTHING, text: "·", said: "not scored" },
};

/** What a score counts as: a group, or that it is unsure, as counts have it. */
const countedAs = (score) => (score.above_threshold || !outcomeOf(score.outcome).group ? groupOf(score.outcome) : "unsure");

function changeOf({ auto, before }) {
  if (!auto) return "unscored";
  if (!before) return "first";
  const [then, now] = [countedAs(before), countedAs(auto)];
  if (then === now) return "same";
  if (now === "crystal") return "newly";
  return then === "crystal" ? "gone" : "changed";
}

const byChange = (drops) => byKind(drops, "Machine, since its score at an earlier inspection", CHANGES, changeOf);

export const COLOURINGS = {
  outcome: { label: "outcome", make: () => ({ mark: () => null, title: "", keys: [] }) },
  probability: { label: "probability of", make: byProbability },
  person: { label: "person", make: byPerson },
  change: { label: "change", make: byChange },
};

/** Return how a view colours drops; while what the machine says is hidden, as by default. */
export const colouring = (drops, view) => COLOURINGS[view.frames === "off" ? "outcome" : view.colour].make(drops, view);

/** Set the colours of an element that shows a mark; without one they are its outcome's again. */
export function paint(element, mark) {
  for (const [name, colour] of [["--frame", mark?.colour], ["--ink", mark && inkOn(mark.colour)]]) {
    if (colour) element.style.setProperty(name, colour);
    else element.style.removeProperty(name);
  }
}

/** Return the mark as it stands on thumbnails and in legends. */
export function markBadge(mark) {
  const badge = el("span", { className: "badge auto", textContent: mark.text, title: mark.said });
  paint(badge, mark);
  return badge;
}
