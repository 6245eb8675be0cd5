// The panel that tells the keys.
import { byId, el, isTyping } from "./dom.js";
import { byHand } from "./hand.js";
import { autoBadge, handBadge } from "./words.js";

const rows = (pairs) => pairs.flatMap(([key, meaning]) => [
  el("span", {}, ...key.split(" ").map((each) => el("kbd", { textContent: each }))),
  el("span", { textContent: meaning }),
]);

const scoringRows = () => byHand.flatMap((outcome) => [
  el("span", {}, el("kbd", { textContent: outcome.key }), ...(outcome.key === "x" ? [] : [el("kbd", { textContent: `⇧${outcome.letter}` })])),
  el("span", {}, autoBadge({ outcome: outcome.name, probability: null }), el("span", { textContent: outcome.label })),
]);

const marks = () => [
  el("span", {}, autoBadge({ outcome: "crystal_harvestable", probability: null })), el("span", { textContent: "the machine's score, as the frame" }),
  el("span", {}, autoBadge({ outcome: "crystal_harvestable", probability: 0.5, above_threshold: false })), el("span", { textContent: "below the threshold: only the likeliest" }),
  el("span", {}, handBadge({ outcome: "precipitate", person: "a person" })), el("span", { textContent: "a person's score" }),
  el("span", {}, handBadge({ outcome: "precipitate", person: "a person", inspection: 1 }, { earlier: true })), el("span", { textContent: "a person's, at an earlier inspection" }),
];

/** Show the keys of a page at its help button and at "?". */
export function setUpHelp(pairs, { scoring = false } = {}) {
  const open = () => {
    const close = el("button", { type: "button", textContent: "Close" });
    const keys = el("div", { className: "keys" }, ...rows(pairs));
    if (scoring) keys.append(el("h3", { textContent: "Marks" }), ...marks(), el("h3", { textContent: "Score by hand" }), ...scoringRows());
    const dialog = el("dialog", { className: "help" }, el("h2", { textContent: "Keys" }), keys, el("div", { className: "actions" }, close));
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  };
  byId("help").addEventListener("click", open);
  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !isTyping(event)) open();
  });
}
