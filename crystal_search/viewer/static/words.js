// Outcomes, times and places in the words that people read.
import { el, pageData } from "./dom.js";

export const outcomes = new Map(pageData().outcomes.map((outcome) => [outcome.name, outcome]));
export const priority = new Map([...outcomes.keys()].map((name, index) => [name, index]));
export const groups = ["crystal", "precipitate", "other", "clear"];

export const outcomeOf = (name) => outcomes.get(name) ?? { ...outcomes.get("unscored"), name, label: name, letter: "?" };
export const groupOf = (name) => outcomes.get(name)?.group ?? name;

/** "Crystals, bad form" -> "Bad form", "Clear with features" -> "With features": enough beside the group's name. */
export function shortLabel(outcome) {
  const rest = outcome.label.split(", ")[1] ?? outcome.label.replace(/^Clear (?=with)/, "");
  return rest[0].toUpperCase() + rest.slice(1);
}

/** What fits on a button: the whole label, or the short one. */
export const buttonLabel = (outcome) => (outcome.label.length <= 17 ? outcome.label : shortLabel(outcome));

export const percent = (probability) => (probability === null || probability === undefined ? "" : `${Math.round(probability * 100)} %`);

/** "at threshold 70 %, the setting is 85 %" */
export const atThreshold = (threshold, settings) => `at threshold ${percent(threshold)}, the setting is ${settings.map(percent).join(" and ")}`;

/** "ours-2 · 1a2b3c4d · threshold 85 %" */
export const recipeText = ({ classifier, sha256, readout, first_look: first, alone, threshold }) => `${readout ? `readout ${readout} of ` : ""}${classifier} · ${sha256.slice(0, 8)}${alone ? ", a first look that was sure" : first ? ` after a first look by ${first}` : ""} · threshold ${percent(threshold)}`;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const twoDigits = (number) => String(number).padStart(2, "0");

/** Return a time as "14:03", local. */
export const timeText = (iso) => clock.format(new Date(iso));

/** Return a date as "2025-11-21", local. */
function dateText(iso) {
  const date = new Date(iso);
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
}

/** Return when an image was taken as the robot's clock showed it, wherever the browser is: its day, and its time if it is known. */
export const takenDay = (iso) => iso.slice(0, 10);
export const takenText = (iso) => iso.slice(0, 16).replace("T", " ");

export const momentText = (iso) => (iso ? `${dateText(iso)} ${timeText(iso)}` : "");

/** Say for each reason how many drops have no score yet: "3, its file is gone". */
export function whyUnscored(drops) {
  const counts = new Map();
  for (const { why_unscored: why } of drops) if (why) counts.set(why, (counts.get(why) ?? 0) + 1);
  return [...counts].map(([why, count]) => `${count}, ${why}`);
}

/** "scored 201 of 288, last at 14:03 (2025-11-21)" */
export function progressText({ scored, images, last_scored_at: last, drops = [] }) {
  const when = last ? `, ${scored === images ? "done" : "last"} at ${timeText(last)} (${dateText(last)})` : "";
  const [first, ...others] = whyUnscored(drops);
  const waiting = first ? `; put off: ${first}${others.length ? `, and for ${others.length} more reasons` : ""}` : "";
  return `scored ${scored} of ${images}${when}${waiting}`;
}

/** What people marked in a drop: as a favourite, and places. */
export const favouritesOf = (drop) => (drop.marks ?? []).filter((mark) => mark.kind === "favourite");
export const placesOf = (drop) => (drop.marks ?? []).filter((mark) => mark.place);

export const placeText = (drop) => `${drop.well} drop ${drop.drop}`;

/** The score by hand that came last, or null. */
export const newestByHand = (drop) => drop.people[0] ?? null;

export const disagrees = (drop) => Boolean(drop.auto && drop.people.length && drop.auto.outcome !== newestByHand(drop).outcome);

/** Return what people say of a drop: of each outcome the score that came last, the last first. */
export const opinions = (drop) => drop.people.filter(({ outcome }, at) => drop.people.findIndex((each) => each.outcome === outcome) === at);

export const peopleDiffer = (drop) => opinions(drop).length > 1;

/** "3 crystals, longest 120 µm" of what the machine found one by one; empty where it found none, or did not look. */
export function crystalsText({ auto, longest_um: told, um_per_px: scale }) {
  if (!auto?.crystals_found) return "";
  const um = told ?? (scale ? auto.longest_px * scale : null);
  const length = um ? `${Math.round(um)} µm` : `${Math.round(auto.longest_px)} px`;
  return `${auto.crystals_found} ${auto.crystals_found === 1 ? "crystal" : "crystals"}, longest ${length}`;
}

/** Say everything that a tile shows: "C07 drop 1: Crystals, harvestable, 97 %; by hand: Clear (Ada)". */
export function describe(drop, { machine = true } = {}) {
  if (!machine) return said(drop, [placeText(drop)]);
  const parts = [`${placeText(drop)}: ${drop.auto ? outcomeOf(drop.auto.outcome).label : `not scored${drop.why_unscored ? `: ${drop.why_unscored}` : ""}`}`];
  if (drop.auto?.probability !== null && drop.auto?.probability !== undefined) parts[0] += `, ${percent(drop.auto.probability)}`;
  if (drop.auto && drop.auto.probability !== null && !drop.auto.above_threshold) parts[0] += " (below the threshold)";
  if (crystalsText(drop)) parts.push(crystalsText(drop));
  return said(drop, parts);
}

/** "2 crystals to pick, 1 place to dispense" */
export function markedText(drop) {
  const count = (kind, one, several) => {
    const number = placesOf(drop).filter((mark) => mark.kind === kind).length;
    return number ? [`${number} ${number === 1 ? one : several}`] : [];
  };
  return [...count("pick", "crystal to pick", "crystals to pick"), ...count("dispense", "place to dispense", "places to dispense")].join(", ");
}

function said(drop, parts) {
  if (drop.people.length) parts.push(`by hand: ${drop.people.map((score) => `${outcomeOf(score.outcome).label} (${score.person})`).join(", ")}${peopleDiffer(drop) ? ", who differ" : ""}`);
  const favourite = favouritesOf(drop);
  if (favourite.length) parts.push(`favourite of ${favourite.map((mark) => mark.person).join(", ")}`);
  if (placesOf(drop).length) parts.push(markedText(drop));
  for (const comment of drop.comments ?? []) parts.push(`comment: “${comment.text}” (${comment.person})`);
  if (drop.earlier) parts.push(`by hand at inspection ${drop.earlier.inspection}: ${outcomeOf(drop.earlier.outcome).label}`);
  return parts.join("; ");
}

/** Return the machine's letter in its frame colour; hollow when it is below the threshold. */
export function autoBadge(score) {
  const outcome = outcomeOf(score ? score.outcome : "unscored");
  const below = score && score.probability !== null && !score.above_threshold;
  return el("span", {
    className: `badge auto is-${outcome.name}${below ? " below" : ""}`,
    textContent: outcome.letter,
    title: below ? `${outcome.label} (below the threshold)` : outcome.label,
  });
}

/** Return a person's letter in its own colour, with a person's mark. */
export function handBadge(score, { earlier = false } = {}) {
  const outcome = outcomeOf(score.outcome);
  return el("span", {
    className: `badge hand is-${outcome.name}${earlier ? " earlier" : ""}`,
    textContent: outcome.letter,
    title: `${outcome.label}, by ${score.person}${earlier ? ` at inspection ${score.inspection}` : ""}`,
  });
}
