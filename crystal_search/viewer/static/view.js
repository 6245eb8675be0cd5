// What of a plate is shown and in which order; it lives in the address, so that a link shows the same.
import { CHANCES, COLOURINGS } from "./colouring.js";
import { disagrees, favouritesOf, groupOf, newestByHand, opinions, peopleDiffer, placesOf, priority } from "./words.js";

export const DEFAULTS = { sort: "plate", scored: "all", by: "auto", classes: "", pmin: "0", pmax: "100", frames: "on", crop: "off", size: "fit", colour: "outcome", of: "crystal", threshold: "", recipe: "" };
const CHOICES = {
  sort: ["plate", "priority", "crystal", "disagreement"],
  scored: ["all", "auto", "noauto", "manual", "nomanual", "disagree", "differ", "comments", "favourites", "marks"],
  by: ["auto", "manual", "either"],
  frames: ["on", "off"],
  crop: ["on", "off"],
  size: ["fit", "s", "m", "l"],
  colour: Object.keys(COLOURINGS),
  of: CHANCES,
};
const FILTERS = ["scored", "by", "classes", "pmin", "pmax"];

/** Return the view that an address asks for; what it does not say, or says wrong, is as usual. */
export function readView(search) {
  const asked = new URLSearchParams(search);
  const view = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS)) {
    const value = asked.get(key);
    if (value === null) continue;
    if (CHOICES[key] ? CHOICES[key].includes(value) : (TEXTS[key] ?? isPercent)(value)) view[key] = value;
  }
  return view;
}

const TEXTS = { classes: () => true, recipe: (text) => /^[0-9a-f]{12}$/.test(text) };
const isPercent = (text) => /^\d{1,3}$/.test(text) && Number(text) <= 100;

/** Return what an address must say for this view. */
export function viewParameters(view) {
  return Object.fromEntries(Object.entries(view).filter(([key, value]) => key in DEFAULTS && value !== DEFAULTS[key]));
}

export const isFiltered = (view) => FILTERS.some((key) => key !== "by" && view[key] !== DEFAULTS[key]);
export const withoutFilters = (view) => ({ ...view, ...Object.fromEntries(FILTERS.map((key) => [key, DEFAULTS[key]])) });

export const classesOf = (view) => new Set(view.classes ? view.classes.split(",") : []);

/** Whose classes count for the legend and for filters: while the machine's scores are hidden they must not show there. */
export const classesBy = (view) => (view.frames === "off" ? "manual" : view.by);

/** Return the answers of a drop that count for filters by class. */
export function answersOf(drop, by) {
  const auto = drop.auto?.outcome ?? "unscored";
  const manual = opinions(drop).map((score) => score.outcome);
  if (by === "auto") return [auto];
  if (by === "manual") return manual.length ? manual : ["unscored"];
  return [auto, ...manual].filter((name, at, all) => name !== "unscored" || all.length === 1);
}

const SCORED = {
  all: () => true,
  auto: (drop) => drop.auto !== null,
  noauto: (drop) => drop.auto === null,
  manual: (drop) => drop.people.length > 0,
  nomanual: (drop) => drop.people.length === 0,
  disagree: disagrees,
  differ: peopleDiffer,
  comments: (drop) => drop.comments.length > 0,
  favourites: (drop) => favouritesOf(drop).length > 0,
  marks: (drop) => placesOf(drop).length > 0,
};

/** Tell whether a view shows a drop. */
export function isShown(drop, view) {
  if (!SCORED[view.scored](drop)) return false;
  const classes = classesOf(view);
  if (classes.size && !answersOf(drop, classesBy(view)).some((name) => classes.has(name))) return false;
  if (view.pmin === DEFAULTS.pmin && view.pmax === DEFAULTS.pmax) return true;
  const crystal = drop.auto?.p_crystal ?? null;
  return crystal !== null && crystal * 100 >= Number(view.pmin) && crystal * 100 <= Number(view.pmax);
}

const byPlace = (a, b) => a.row - b.row || a.column - b.column || a.drop - b.drop;
const rank = (score) => (score ? (priority.get(score.outcome) ?? 99) : 100);
const disagreement = (drop) => {
  if (peopleDiffer(drop)) return 0;
  if (!drop.auto || !drop.people.length) return 3;
  if (groupOf(drop.auto.outcome) !== groupOf(newestByHand(drop).outcome)) return 0;
  return disagrees(drop) ? 1 : 2;
};
const crystal = (drop) => drop.auto?.p_crystal ?? -1;

const ORDERS = {
  plate: byPlace,
  priority: (a, b) => rank(a.auto) - rank(b.auto) || (b.auto?.probability ?? 0) - (a.auto?.probability ?? 0) || byPlace(a, b),
  crystal: (a, b) => crystal(b) - crystal(a) || byPlace(a, b),
  disagreement: (a, b) => disagreement(a) - disagreement(b) || crystal(b) - crystal(a) || byPlace(a, b),
};

/** Return the drops that a view shows, in its order. */
export const arranged = (drops, view) => drops.filter((drop) => isShown(drop, view)).sort(ORDERS[view.sort]);

const memoryKey = (board, view) => ["order", board.plate, board.inspection, board.channel, view.sort, view.threshold, view.recipe, ...FILTERS.map((key) => view[key])].join(" ");

/** Keep the order of drops while somebody goes through them: scoring one must not move the others. */
export function rememberOrder(board, view, ids) {
  try {
    sessionStorage.setItem(memoryKey(board, view), JSON.stringify(ids));
  } catch {
    // Without room the order is made anew.
  }
}

/** Return the kept order, or null. */
export function recallOrder(board, view) {
  try {
    return JSON.parse(sessionStorage.getItem(memoryKey(board, view)));
  } catch {
    return null;
  }
}

const IN_SIGHT = "crystal-search drop in sight";

/** Keep which drop is in sight, for when somebody goes back to its plate. */
export const rememberDrop = (id) => sessionStorage.setItem(IN_SIGHT, id);
export const recallDrop = () => Number(sessionStorage.getItem(IN_SIGHT));
