// The right-hand side of the drop page: verdicts, probabilities, the ledger, facts.
import { factsOf } from "./condition.js";
import { countText } from "./crystals.js";
import { el } from "./dom.js";
import { atThreshold, autoBadge, disagrees, groups, handBadge, momentText, outcomeOf, outcomes, peopleDiffer, percent, recipeText, shortLabel, takenText } from "./words.js";

const model = (score) => {
  const by = (role) => score.models.find((each) => each.role === role);
  const alone = score.looks === 1;
  const { name: classifier, sha256 } = by(alone ? "first_look" : "classifier");
  return recipeText({ ...score, classifier, sha256, alone, first_look: alone ? null : by("first_look")?.name, threshold: score.setting ?? score.threshold });
};

function verdict(badge, outcome, probability, who, kind = "") {
  return el(
    "div", { className: `verdict is-${outcome.name} ${kind}` },
    badge, el("b", { textContent: outcome.label }), el("span", { className: "p", textContent: percent(probability) }), el("span", { className: "who", textContent: who }),
  );
}

/** Show the newest score of the machine and of each person, one above the other. */
export function showVerdicts(element, auto, people, why, earlier) {
  const parts = [];
  if (auto) {
    const below = auto.probability !== null && !auto.above_threshold ? " · below the threshold, only the likeliest" : "";
    parts.push(verdict(autoBadge(auto), outcomeOf(auto.outcome), auto.probability, (auto.error ?? (auto.readout ? `readout ${auto.readout}` : "machine")) + below, "of-machine"));
    if (!auto.shown) parts.push(el("div", { className: "disagreement of-machine", textContent: `not the score that counts, but that of ${model(auto)}` }));
    if (auto.setting !== undefined) parts.push(el("div", { className: "dim of-machine", textContent: atThreshold(auto.threshold, [auto.setting]) }));
  } else {
    parts.push(verdict(autoBadge(null), outcomeOf("unscored"), null, why ? `not scored yet: ${why}` : "no machine has scored this image yet"));
  }
  for (const score of people) parts.push(verdict(handBadge(score), outcomeOf(score.outcome), null, `${score.person} · ${momentText(score.scored_at)}`));
  if (peopleDiffer({ people })) parts.push(el("div", { className: "disagreement", textContent: "≠ people differ" }));
  if (earlier && !people.length) parts.push(verdict(handBadge(earlier, { earlier: true }), outcomeOf(earlier.outcome), null, `${earlier.person} · inspection ${earlier.inspection} · ${momentText(earlier.scored_at)}`));
  if (disagrees({ auto, people })) parts.push(el("div", { className: "disagreement of-machine", textContent: "≠ person and machine disagree" }));
  const text = element.textContent;
  const made = el("div", {}, ...parts);
  if (text !== made.textContent || !text) element.replaceChildren(...parts);
}

function meter(name, value, { peak = false, limit = null } = {}) {
  const fill = el("span", { className: "fill" });
  fill.style.width = `${100 * value}%`;
  const bar = el("span", { className: `meter is-${name}${peak ? " peak" : ""}`, "aria-hidden": "true" }, fill);
  if (limit !== null) {
    const mark = el("span", { className: "limit", title: `threshold ${percent(limit)}` });
    mark.style.left = `${100 * limit}%`;
    bar.append(mark);
  }
  return bar;
}

/** Show what the machine gave each group and class. */
export function showBars(element, auto, whyUnscored) {
  if (!auto?.class_probabilities.length) {
    const why = auto ? (auto.error ?? "No drop was found, so nothing was classified.") : whyUnscored ? `Not scored yet: ${whyUnscored}.` : "Not scored yet.";
    element.replaceChildren(el("p", { className: "dim", textContent: why }));
    return;
  }
  const classes = [...outcomes.values()].filter((outcome) => outcome.group);
  const winner = outcomeOf(auto.outcome).group;
  element.replaceChildren(...groups.map((group, index) => {
    const members = classes.filter((outcome) => outcome.group === group);
    const peak = auto.group_peaks[index];
    const family = el(
      "div", { className: `family${group === winner ? " wins" : ""}` },
      el("span", { className: "whole", textContent: group }), meter(members[0].name, peak, { peak: true, limit: auto.threshold }), el("span", { className: "number", textContent: percent(peak) }),
    );
    for (const outcome of members) {
      const mean = auto.class_probabilities[classes.indexOf(outcome)];
      family.append(autoBadge({ outcome: outcome.name, probability: null }), el("span", { className: "class", textContent: shortLabel(outcome) }), meter(outcome.name, mean), el("span", { className: "number class", textContent: percent(mean) }));
    }
    return family;
  }));
}

const detectorOf = (score) => score.models?.find((each) => each.role === "crystals") ?? null;

/** Say what a machine's score tells of crystals one by one; of one without a detector only if others of the image had one. */
function searchText(score, ledger) {
  const detector = detectorOf(score);
  if (!detector) return ledger.some(detectorOf) ? " · without a crystal detector" : "";
  return ` · crystal detector ${detector.name} ${foundText(score)}`;
}

function foundText({ crystals_found: found, outcome }) {
  if (found) return found === 1 ? "found 1 crystal" : `found ${found} crystals`;
  if (found === 0) return "found none";
  if (outcome === "unreadable") return "did not look: the image could not be read";
  return outcomeOf(outcome).group ? "did not look: crystals were too improbable" : "did not look: there was no drop";
}

function entry(score, counts, ledger) {
  const outcome = outcomeOf(score.outcome);
  const machine = score.by === "machine";
  const former = score.counts ? "" : machine ? "of a picture that the file held before, or taken back · " : `taken back ${momentText(score.taken_back_at)} · `;
  const who = former + (machine ? model(score) + searchText(score, ledger) : score.person + (score.comment ? ` · “${score.comment}”` : ""));
  return el(
    "li", { className: `${counts ? "" : "past"}${machine ? " of-machine" : ""}${score.counts ? "" : " taken-back"}`, title: machine ? [`work unit ${score.work_unit}`, ...score.models.map((each) => `${each.role} ${each.name} ${each.sha256}`)].join("\n") : "" },
    machine ? autoBadge(score) : handBadge(score),
    el("b", { textContent: `${outcome.label}${machine && score.probability !== null ? ` ${percent(score.probability)}` : ""}` }),
    el("time", { dateTime: score.scored_at, textContent: momentText(score.scored_at) }),
    el("span", { className: "who", textContent: who }),
  );
}

/** Return the scores that count: the machine's that frames show, or the one by a recipe, and each person's. */
export const ofMachine = (ledger, recipe = "") => ledger.find((score) => (recipe ? score.counts && score.recipe === recipe : score.shown)) ?? null;
export const ofPeople = (ledger) => {
  const standing = ledger.filter((score) => score.by === "person" && score.counts);
  return standing.filter((score, at) => standing.findIndex((each) => each.person === score.person) === at);
};

/** Show every score the image ever got, newest first; the newest of each kind stands out. */
export function showLedger(element, ledger) {
  const newest = new Set([ofMachine(ledger), ...ofPeople(ledger)]);
  if (ledger.length) element.replaceChildren(...ledger.map((score) => entry(score, newest.has(score), ledger)));
  else element.replaceChildren(el("li", { className: "dim", textContent: "No scores yet." }));
}

/** Show what is known about the image. */
export function showFacts(element, drop, auto) {
  const facts = [["Plate", drop.plate], ["Inspection", `${drop.inspection}${drop.imaged_at ? `, ${takenText(drop.imaged_at)}` : ""}`], ["Channel", drop.channel], ["Image", String(drop.id)]];
  facts.splice(1, 0, ...factsOf(drop));
  if (auto?.width_px) facts.push(["Size", `${auto.width_px} × ${auto.height_px} px`]);
  if (auto?.remarks.length) facts.push(["Read", auto.remarks.join("; ")]);
  const crystals = countText(auto?.crystals_found, auto?.longest_px, drop.um_per_px);
  if (crystals) facts.push(["Crystals", crystals, "of-machine"]);
  if (auto?.area_fraction) facts.push(["Drop", `${percent(auto.area_fraction)} of the image`, "of-machine"]);
  element.replaceChildren(...facts.flatMap(([name, text, className = ""]) => [el("dt", { textContent: name, className }), el("dd", { textContent: text, className })]));
}
