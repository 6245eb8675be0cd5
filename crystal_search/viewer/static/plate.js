// The plate overview.
import { Board } from "./board.js";
import { CHANCES, chanceLabel, COLOURINGS, colouring } from "./colouring.js";
import { factsOf } from "./condition.js";
import { byId, el, isTyping, pageData, press, say } from "./dom.js";
import { giveScore, noteSeen, outcomeOfKey, showPerson, takeBack } from "./hand.js";
import { setUpHelp } from "./help.js";
import { showColours, showLegend } from "./legend.js";
import { toggleFavourite } from "./marks_by_hand.js";
import { boardAddress, getJson, plateAddress, poll } from "./net.js";
import { isPicked, setUpPicks, setUpTicking, togglePick } from "./picks.js";
import { Preview } from "./preview.js";
import { ofPeople } from "./scores.js";
import { dropIn, settingsOf } from "./threshold.js";
import { classesBy, isFiltered, readView, recallDrop, rememberOrder, viewParameters, withoutFilters } from "./view.js";
import { atThreshold, progressText, recipeText, whyUnscored } from "./words.js";

const POLL_MS = 1000;
const SIZES = [["fit", "Fit"], ["s", "S"], ["m", "M"], ["l", "L"]];
const PREVIEW_BELOW_PX = 240;

const { board: first, neighbours } = pageData();
let board = first;
let view = readView(location.search);
let lastScored = null;
const shown = new Board(byId("board"));
const preview = new Preview();

// A plate with several channels names the one in sight; an address without one leads to where there are images.
const channelOf = ({ channel, channels }) => (channels.length > 1 ? { channel } : {});

function change(part) {
  view = { ...view, ...part };
  history.replaceState(null, "", plateAddress(board, { ...viewParameters(view), ...channelOf(board) }));
  preview.hide();
  show();
}

function show() {
  byId("progress").textContent === progressText(board) || (byId("progress").textContent = progressText(board));
  byId("progress").title = whyUnscored(board.drops).join("\n");
  byId("progress-bar").style.width = `${board.images ? (100 * board.scored) / board.images : 0}%`;
  showFacts();
  const drops = board.drops.map((drop) => dropIn(drop, view));
  const colours = colouring(drops, view);
  shown.show({ ...board, drops }, view, colours.mark);
  showPicks();
  showLegend(byId("legend"), drops, view, (classes) => change({ classes }));
  showColours(byId("colours"), colours);
  showThreshold();
  showRecipes();
  for (const key of ["sort", "scored", "by", "pmin", "pmax", "colour", "of"]) if (document.activeElement !== byId(key)) byId(key).value = view[key];
  byId("by").disabled = view.frames === "off";
  if (byId("by").disabled) byId("by").value = classesBy(view);
  byId("colour").disabled = view.frames === "off";
  byId("of").hidden = view.colour !== "probability" || view.frames === "off";
  press(byId("frames"), view.frames === "on");
  preview.box.classList.toggle("without-machine", view.frames === "off");
  press(byId("crop"), view.crop === "on");
  byId("clear").hidden = !isFiltered(view);
  byId("showing").textContent = isFiltered(view) ? `${shown.order.length} of ${board.images}` : "";
  byId("bars-state").textContent = [byId("showing").textContent, colours.title, byId("threshold-said").textContent].filter(Boolean).join(" · ");
  for (const button of byId("sizes").children) press(button, button.dataset.size === view.size);
  preview.refresh();
  setUpLinks();
  rememberOrder(board, view, shown.order);
}

/** Mark the drops that are ticked. */
function showPicks() {
  for (const tile of shown.tiles.values()) tile.tick(isPicked(tile.drop.id));
}

/** Show at which threshold the machine's scores stand, and which one they were made with. */
function showThreshold() {
  const settings = settingsOf(board.drops);
  const slider = byId("threshold");
  slider.disabled = !settings.length || view.frames === "off";
  if (document.activeElement !== slider || view.threshold === "") slider.value = view.threshold || String(Math.round(100 * (settings.at(-1) ?? 0)));
  const said = atThreshold(Number(slider.value) / 100, settings);
  byId("threshold-said").textContent = view.threshold === "" || slider.disabled ? "" : said;
  slider.setAttribute("aria-valuetext", said);
  slider.title = `${said}; only what is shown changes`;
  byId("threshold-reset").hidden = view.threshold === "";
}

/** Show the machine's scores at another threshold; at that of all scores, as they are. */
function setThreshold(value) {
  const settings = settingsOf(board.drops);
  change({ threshold: settings.length === 1 && Math.round(100 * settings[0]) === Number(value) ? "" : value });
}

/** Show by which recipes there are scores, and say so where others are shown than those that count. */
function showRecipes() {
  const { recipe, recipes } = board;
  const chosen = recipes.find(({ id }) => id === recipe);
  const isHidden = view.frames === "off";
  byId("recipes").hidden = isHidden || (recipes.length < 2 && !recipe);
  const options = [["", "those that count"], ...recipes.map((each) => [each.id, recipeText(each)]), ...(recipe && !chosen ? [[recipe, "a model that scored nothing here"]] : [])];
  const shownNow = [...byId("recipe").options].map(({ value }) => value);
  if (options.map(([value]) => value).join() !== shownNow.join()) byId("recipe").replaceChildren(...options.map(([value, textContent]) => el("option", { value, textContent })));
  byId("recipe").value = recipe;
  byId("not-shown").hidden = isHidden || !recipe;
  byId("not-shown-said").textContent = chosen ? `These are the scores by ${recipeText(chosen)}, not those that count.` : "The chosen model has scored no drop here.";
}

async function chooseRecipe(recipe) {
  try {
    board = await getJson(boardAddress({ ...board, recipe }));
    change({ recipe });
  } catch (error) {
    say(error.message, { error: true });
  }
}

/** Show whose the plate is; all of it where there is no room. */
function showFacts() {
  const facts = factsOf(board);
  byId("facts").hidden = !facts.length;
  byId("facts").textContent = facts.map(([, text]) => text).join(" · ");
  byId("facts").title = facts.map(([name, text]) => `${name}: ${text}`).join("\n");
}

function setUpLinks() {
  const parameters = viewParameters(view);
  for (const [id, plate] of [["previous-plate", neighbours.previous], ["next-plate", neighbours.next]]) {
    const link = byId(id);
    if (plate) link.href = plateAddress({ plate }, parameters);
    link.title = plate ? `${plate} (${id === "next-plate" ? "n" : "p"})` : "there is none";
    link.setAttribute("aria-disabled", plate ? "false" : "true");
  }
  byId("table").href = `/plate/${encodeURIComponent(board.plate)}/scores.csv?${new URLSearchParams({ inspection: board.inspection, channel: board.channel })}`;
  const links = (values, here, addressOf, title, day = () => null) => values.map((value) => el(
    "a", { className: "button", href: addressOf(value), title: title(value), "aria-current": value === here ? "true" : "false" },
    el("span", { textContent: String(value) }), " ", day(value),
  ));
  const day = (inspection) => board.days[inspection] && el("span", { className: "day", textContent: board.days[inspection] });
  showLinks("inspections", links(board.inspections, board.inspection, (inspection) => plateAddress({ ...board, inspection }, parameters), (value) => `Inspection ${value} (, and . go through them)`, day));
  showLinks("channels", links(board.channels, board.channel, (channel) => plateAddress({ ...board, channel }, { ...parameters, channel }), (value) => `Images in ${value}`));
  byId("channels").hidden = board.channels.length < 2;
}

/** Put links in place; one that has the focus and stays the same keeps it. */
function showLinks(id, links) {
  const at = [...byId(id).children].indexOf(document.activeElement);
  byId(id).replaceChildren(...links);
  if (at >= 0) links[at]?.focus();
}

/** Have the focus on the drop from which somebody came up, or back. */
function focusWhereOneWas({ back = false } = {}) {
  const tile = shown.tiles.get(location.hash ? Number(location.hash.slice(1)) : back ? recallDrop() : 0);
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  if (tile && shown.order.includes(tile.drop.id)) focus(tile);
}

function goTo(link) {
  if (link?.href) location.href = link.href;
}

function toInspection(step) {
  goTo(byId("inspections").children[board.inspections.indexOf(board.inspection) + step]);
}

function resizeBy(step) {
  const at = SIZES.findIndex(([size]) => size === view.size) + step;
  if (SIZES[at]) change({ size: SIZES[at][0] });
}

const tileOf = (target) => shown.tiles.get(Number(target.closest?.(".tile")?.dataset.id));

function focus(tile) {
  for (const other of shown.element.querySelectorAll('.tile[tabindex="0"]')) other.tabIndex = -1;
  tile.element.tabIndex = 0;
  tile.element.focus();
}

async function score(tile, outcome) {
  const scored = await giveScore(tile.drop, outcome.name);
  if (!scored) return;
  lastScored = tile;
  take(scored);
}

/** Take back one's last score of the drop that has the focus, or else of the one that was scored last here. */
async function undo(tile) {
  const meant = tile ?? lastScored;
  if (!meant) return say("Choose the drop whose score you want to take back.");
  focus(meant);
  const scored = await takeBack(meant.drop, meant.drop.people);
  return scored && take(scored);
}

async function makeFavourite(tile) {
  const answer = await toggleFavourite(tile.drop);
  if (answer) take(answer);
}

function take({ id, ledger, comments: written, marks }) {
  const people = ofPeople(ledger);
  const comments = written.filter((comment) => !comment.taken_back_at);
  board = { ...board, drops: board.drops.map((drop) => (drop.id === id ? { ...drop, people, comments, marks, earlier: people.length ? null : drop.earlier } : drop)) };
  show();
}

const KEYS = {
  m: () => change({ frames: view.frames === "on" ? "off" : "on" }),
  h: () => KEYS.m(),
  z: () => change({ crop: view.crop === "on" ? "off" : "on" }),
  "+": () => resizeBy(1),
  "=": () => resizeBy(1),
  "-": () => resizeBy(-1),
  _: () => resizeBy(-1),
  ",": () => toInspection(-1),
  ".": () => toInspection(1),
  p: () => goTo(byId("previous-plate")),
  n: () => goTo(byId("next-plate")),
  Escape: () => (preview.box.hidden ? change(withoutFilters(view)) : preview.hide()),
};

function onKey(event) {
  if (isTyping(event)) return;
  const tile = tileOf(event.target);
  if (event.key.startsWith("Arrow")) {
    const next = tile ? shown.neighbour(tile.drop.id, event.key) : shown.tiles.get(shown.order[0]);
    if (next) {
      event.preventDefault();
      focus(next);
    }
    return;
  }
  const outcome = tile ? outcomeOfKey(event) : null;
  if (event.repeat && (outcome || event.key === "u")) return; // a key held down scores once: scores stay for good
  if (outcome) score(tile, outcome);
  else if (event.key === "t" && tile && !event.repeat) togglePick(tile.drop.id);
  else if (event.key === "s" && tile && !event.repeat) makeFavourite(tile);
  else if (event.key === "u") undo(tile);
  else KEYS[event.key]?.();
}

function setUpControls() {
  byId("colour").append(...Object.entries(COLOURINGS).map(([value, { label }]) => el("option", { value, textContent: label })));
  byId("of").append(...CHANCES.map((value) => el("option", { value, textContent: chanceLabel(value) })));
  byId("recipe").addEventListener("change", () => chooseRecipe(byId("recipe").value));
  byId("show-counting").addEventListener("click", () => chooseRecipe("").then(() => byId("recipe").focus()));
  byId("threshold").addEventListener("input", () => setThreshold(byId("threshold").value));
  byId("threshold-reset").addEventListener("click", () => {
    change({ threshold: "" });
    byId("threshold").focus();
  });
  for (const key of ["sort", "scored", "by", "colour", "of"]) byId(key).addEventListener("change", () => change({ [key]: byId(key).value }));
  for (const key of ["pmin", "pmax"]) {
    byId(key).addEventListener("change", () => {
      const number = Math.round(Number(byId(key).value));
      change({ [key]: byId(key).value === "" ? (key === "pmin" ? "0" : "100") : String(Math.min(100, Math.max(0, number))) });
      byId(key).value = view[key];
    });
  }
  byId("frames").addEventListener("click", KEYS.m);
  byId("crop").addEventListener("click", KEYS.z);
  byId("clear").addEventListener("click", () => change(withoutFilters(view)));
  for (const [size, name] of SIZES) {
    const button = el("button", { type: "button", textContent: name, title: size === "fit" ? "The whole plate at once" : `Size ${name}` });
    button.dataset.size = size;
    button.addEventListener("click", () => change({ size }));
    byId("sizes").append(button);
  }
}

/** In narrow windows the plate comes first: legend and filters open when they are asked for. */
function setUpBars() {
  const narrow = matchMedia("(width < 860px)");
  const fold = () => {
    byId("bars").open = !narrow.matches;
  };
  narrow.addEventListener("change", fold);
  fold();
}

function setUpPointer() {
  const element = shown.element;
  const over = (event) => {
    const tile = tileOf(event.target);
    if (tile && tile.element.offsetWidth < PREVIEW_BELOW_PX) preview.soon(tile);
    else preview.hide();
  };
  element.addEventListener("pointerover", over);
  element.addEventListener("pointerleave", () => preview.hide());
  element.addEventListener("scroll", () => preview.hide(), { passive: true });
  element.addEventListener("focusin", (event) => event.target.matches?.(":focus-visible") && over(event));
  element.addEventListener("focusout", () => preview.hide());
  element.addEventListener("load", (event) => {
    if (shown.seenAspect || !event.target.naturalWidth) return;
    shown.seenAspect = event.target.naturalWidth / event.target.naturalHeight;
    shown.resize();
  }, true);
}

setUpControls();
setUpBars();
noteSeen({ plates: [board.plate] }).catch((error) => say(error.message, { error: true }));
setUpPointer();
setUpTicking(shown.element, tileOf);
setUpPicks(showPicks);
setUpHelp([
  ["← → ↑ ↓", "from drop to drop"], ["Enter", "open the drop"],
  [", .", "previous, next inspection"], ["p n", "previous, next plate"],
  ["m", "hide all that the machine says"], ["z", "zoom to the drops"],
  ["+ -", "larger, smaller thumbnails"], ["t", "tick the drop for the pick list"], ["s", "favourite, or no longer"], ["u", "take your last score of the drop back"], ["Esc", "clear the filters"],
], { scoring: true });
byId("person").addEventListener("named", showPerson());
document.addEventListener("keydown", onKey);
new ResizeObserver(() => shown.resize()).observe(shown.element);
addEventListener("hashchange", () => focusWhereOneWas());
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  show();
  focusWhereOneWas({ back: true });
});
show();
focusWhereOneWas({ back: performance.getEntriesByType("navigation")[0]?.type === "back_forward" });
poll(() => boardAddress(board), {
  every: POLL_MS,
  changed: (news) => {
    board = news;
    show();
  },
});
document.body.dataset.ready = "yes";
