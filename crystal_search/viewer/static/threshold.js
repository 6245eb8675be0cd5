// The machine's scores as another threshold would have them; nothing but what is shown changes.
import { groupOf, groups, outcomes } from "./words.js";

const CHOPS_ONLY = "rim"; // never the outcome of a whole image
const classes = [...outcomes.values()].filter((outcome) => outcome.group);

/** The group that counts, and whether it reached the threshold: the first in the order of priority, else the likeliest. */
function winner({ outcome, group_peaks: peaks, class_probabilities: means }, threshold) {
  const reached = groups.find((_, at) => peaks[at] >= threshold);
  if (reached || !means?.length) return { group: reached ?? groupOf(outcome), above: Boolean(reached) };
  const sums = groups.map((group) => classes.reduce((sum, each, at) => sum + (each.group === group ? means[at] : 0), 0));
  return { group: groups[sums.indexOf(Math.max(...sums))], above: false };
}

function likeliest(group, means) {
  const members = classes.filter((outcome) => outcome.group === group && outcome.name !== CHOPS_ONLY);
  return members.reduce((best, each) => (means?.length && means[classes.indexOf(each)] > means[classes.indexOf(best)] ? each : best)).name;
}

/** Return a score as it would be at `threshold`, in [0, 1], and its own as `setting`; one without probabilities stays as it is. */
function scoreAt(score, threshold) {
  if (!score?.group_peaks?.length || score.threshold === threshold) return score;
  const { group, above } = winner(score, threshold);
  const outcome = group === groupOf(score.outcome) ? score.outcome : likeliest(group, score.class_probabilities);
  return { ...score, outcome, above_threshold: above, threshold, setting: score.threshold, ...(score.probability === undefined ? {} : { probability: score.group_peaks[groups.indexOf(group)] }) };
}

const chosen = (view) => (view.threshold === "" ? null : Number(view.threshold) / 100);

/** Return a machine's score as a view shows it. */
export const scoreIn = (score, view) => (chosen(view) === null ? score : scoreAt(score, chosen(view)));

/** Return a drop as a view shows it: with the view's threshold, now and at the inspection before. */
export function dropIn(drop, view) {
  if (chosen(view) === null) return drop;
  return { ...drop, auto: scoreIn(drop.auto, view), before: scoreIn(drop.before, view) };
}

/** Return the thresholds by which the machine's scores of these drops were made, the lowest first. */
export const settingsOf = (drops) => [...new Set(drops.flatMap(({ auto }) => (auto ? [auto.threshold] : [])))].sort((a, b) => a - b);
