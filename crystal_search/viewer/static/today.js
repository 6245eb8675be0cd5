// Today: the best new drops of all plates, one card after the other.
import { Question } from "./ask.js";
import { showAbout, showCourse, showPicture } from "./card.js";
import { byId, el, isTyping, pageData, press, say } from "./dom.js";
import { giveScore, isNoted, noteSeen, outcomeOfKey, person, showPerson, takeBack } from "./hand.js";
import { setUpHelp } from "./help.js";
import { getJson, todayAddress } from "./net.js";
import { isPicked, setUpPicks, togglePick } from "./picks.js";
import { ofPeople } from "./scores.js";
import { setUpSwipes } from "./swipe.js";
import { Tile } from "./tile.js";
import { describe, momentText, percent, placeText } from "./words.js";

const SPANS = [[null, "New to me"], [1, "1 day"], [7, "7 days"], [30, "30 days"]];

const asked = new URLSearchParams(location.search);
let days = /^[1-9]\d{0,3}$/.test(asked.get("days") ?? "") ? Number(asked.get("days")) : null;
let machine = asked.get("frames") !== "off";
let today = { cards: [], plates: [] };
let skipped = 0; // new plates that the list passes over: they were shown before, and it is not noted that they were seen
let cards = []; // in the order in which they are shown; a drop of which somebody is unsure comes again at the end
let at = 0;
let turn = 0; // how often a list was asked for: only the last answer counts
let busy = false; // a score is being written
let noting = Promise.resolve(); // what was seen is on its way to the server
let isThrough = false; // it is noted that the list was looked through
let done = []; // cards that were scored here, the last one last
const passed = new Set(); // cards that were scored or gone by
const told = new Set(); // plates that are noted as seen
const courses = new Map(); // card -> the same drop at all inspections
const question = new Question(score);

const card = () => cards[at];

/** Show the best drops of the plates after so many new ones. */
async function load(after = 0) {
  const mine = (turn += 1);
  question.close();
  await noting;
  const found = await getJson(todayAddress({ person: person(), days, after: after || null }));
  if (mine !== turn) return;
  [today, skipped, cards, at, done, isThrough] = [found, after, found.cards, 0, [], false];
  passed.clear();
  told.clear();
  showSpans();
  byId("told").textContent = sentence();
  showList();
  show();
  document.body.dataset.ready = "yes";
}

/** Say which drops these are. */
function sentence() {
  const { more, last_looked: last } = today;
  const span = last && !days ? `new since you looked last, ${momentText(last)}` : `new in the last ${days === 1 ? "24 hours" : `${days ?? 7} days`}`;
  const drops = `${more ? `${skipped ? "the next" : "the first"} ` : ""}${cards.length} ${cards.length === 1 ? "drop" : "drops"}`;
  return cards.length ? `${drops}, ${span}; the likeliest crystals first` : `nothing is ${span}`;
}

function showSpans() {
  byId("spans").replaceChildren(...SPANS.map(([number, text]) => {
    const button = el("button", { type: "button", textContent: text });
    press(button, number === days);
    button.addEventListener("click", () => choose(number));
    return button;
  }));
}

function choose(number) {
  days = number;
  keepAddress();
  load().catch(failed);
}

function keepAddress() {
  const words = new URLSearchParams({ ...(days ? { days } : {}), ...(machine ? {} : { frames: "off" }) }).toString();
  history.replaceState(null, "", words ? `?${words}` : location.pathname);
}

const failed = (error) => say(error.message, { error: true });

function show() {
  const there = at < cards.length;
  byId("deck").hidden = !there;
  byId("end").hidden = there;
  document.body.classList.toggle("without-frames", !machine);
  press(byId("show-machine"), machine);
  for (const [index, figure] of [...byId("coming").children].entries()) figure.querySelector(".tile").classList.toggle("here", index === at);
  if (!there) {
    showEnd();
    return;
  }
  byId("back").disabled = at === 0;
  showPicture(card(), { machine, shown: lookAhead });
  showWords();
  const figure = byId("coming").children[at];
  byId("coming").scrollLeft = figure.offsetLeft - byId("coming").clientWidth / 2; // the page itself stays where it is
}

function showWords() {
  showAbout(card(), { picked: isPicked(card().id), machine });
  byId("image").alt = describe(card(), { machine });
  showHistory();
}

async function showHistory() {
  const mine = card();
  if (!courses.has(mine.id)) courses.set(mine.id, getJson(`/api/drop/${mine.id}/siblings`).catch(() => ({ drops: [mine] })));
  const { drops } = await courses.get(mine.id);
  if (mine === card()) showCourse(mine, drops, { machine });
}

/** Ask for the next card's pictures and history while this one is looked at. */
function lookAhead() {
  const next = cards[at + 1];
  if (!next) return;
  if (!courses.has(next.id)) courses.set(next.id, getJson(`/api/drop/${next.id}/siblings`).catch(() => ({ drops: [next] })));
}

/** All cards of this list in small, to go to one. */
function showList() {
  byId("coming").hidden = !cards.length;
  byId("coming").replaceChildren(...cards.map((each, index) => figureOf(each, index)));
}

function figureOf(each, index) {
  const { element } = new Tile(each, { machine });
  const says = el("span", { className: "of-machine", textContent: `${percent(each.auto.p_crystal)} ` });
  const button = el("button", { type: "button" }, element, el("span", { className: "place" }, says, `${each.plate} ${each.well}`));
  element.classList.toggle("seen", each.seen || passed.has(each.id));
  element.classList.toggle("here", index === at);
  button.addEventListener("click", () => goTo(index));
  return el("figure", {}, button);
}

function goTo(index) {
  question.close();
  at = Math.max(0, Math.min(index, cards.length));
  show();
}

/** Go to the next card: this one was looked at. */
function next() {
  if (at >= cards.length) return;
  passed.add(card().id);
  byId("coming").children[at]?.querySelector(".tile").classList.add("seen");
  goTo(at + 1);
  noting = noting.then(notePassed).catch(failed);
}

/** Go on with the plates that come after those of this list. */
async function loadMore() {
  await noting;
  await load(skipped + today.plates.filter((plate) => !told.has(plate)).length);
}

/** Note the plates of which all cards were passed, and at the end that all lists were. */
async function notePassed() {
  const open = new Set(cards.filter((each) => !passed.has(each.id) && !each.seen).map((each) => each.plate));
  const plates = today.plates.filter((plate) => !open.has(plate) && !told.has(plate));
  const through = !days && !open.size && !today.more && !skipped && !isThrough;
  if (!isNoted() || !(plates.length || through)) return;
  await noteSeen({ as_of: today.as_of, plates, through });
  for (const plate of plates) told.add(plate);
  isThrough ||= through;
}

/** Pass on without a score: the drop comes again at the end, once. */
function unsure() {
  if (at >= cards.length || busy) return;
  const doubtful = card();
  if (doubtful.again) {
    say(`${placeText(doubtful)} stays without a score of yours.`);
    next();
    return;
  }
  doubtful.again = true;
  cards = [...cards.filter((each) => each !== doubtful), doubtful];
  showList();
  say(`${placeText(doubtful)} comes again at the end; no score was given.`);
  goTo(at);
}

/** Score the drop that is in sight, and no other: not while a picture is missing or a score is on its way. */
async function score(outcome) {
  const mine = card();
  if (!mine) return;
  if (busy || Number(byId("image").dataset.shown) !== mine.id) {
    say("Not scored: the image was not there yet.");
    return;
  }
  question.close();
  busy = true;
  try {
    const answer = await giveScore(mine, outcome);
    if (!answer) return;
    take(mine, answer);
    done.push(mine);
    if (mine === card()) next();
  } finally {
    busy = false;
  }
}

/** Show what the ledger says now of a card's drop. */
function take(mine, answer) {
  mine.people = ofPeople(answer.ledger);
  courses.delete(mine.id);
  const index = cards.indexOf(mine);
  byId("coming").children[index]?.replaceWith(figureOf(mine, index));
  if (mine === card()) showWords();
}

/** Take back one's last score: of the card from which it led here, or of the one in sight. */
async function undo() {
  if (busy) return;
  const mine = done.at(-1) ?? card();
  if (!mine) return;
  busy = true;
  try {
    goTo(cards.indexOf(mine));
    done.pop();
    const answer = await takeBack(mine, mine.people);
    if (!answer) return;
    passed.delete(mine.id);
    take(mine, answer);
  } finally {
    busy = false;
  }
}

const action = (text, act, className = "") => {
  const button = el("button", { type: "button", className, textContent: text });
  button.addEventListener("click", act);
  return button;
};

/** Say why there is no card, and what to do. */
function showEnd() {
  const week = () => action("Best of the last 7 days (7)", () => choose(7), "main");
  const [says, why, acts] = ending(week);
  byId("end-says").textContent = says;
  byId("end-why").textContent = why;
  byId("end-acts").replaceChildren(...acts);
}

function ending(week) {
  const plates = el("a", { className: "button", href: "/plates", textContent: "All plates" });
  if (today.more) return ["There are more", "Drops of other plates are new as well.", [action("The next ones", () => loadMore().catch(failed), "main"), plates]];
  if (cards.length) return ["You have seen them all", whatComes(), [action("Back to the first", () => goTo(0)), week(), plates]];
  if (!today.any_plates) return ["No plates yet", "Import a robot's folder: crystal-search import FOLDER, or let crystal-search watch FOLDER import and score new images as they come. The best drops appear here.", [plates]];
  return ["Nothing new", `Since ${momentText(today.since)} no image got its first score in which crystals are likelier than 20 %.`, [days === 7 ? action("Best of the last 30 days", () => choose(30), "main") : week(), plates]];
}

function whatComes() {
  if (!isNoted()) return "It is not noted who has seen them; whoever says who they are finds here what is new to them.";
  return days ? "The same drops are here again when you come back." : "Next time this page begins with what is new from now on; the last days stay within reach above.";
}

function toggleMachine() {
  machine = !machine;
  keepAddress();
  showList();
  show();
}

function pick() {
  if (card()) togglePick(card().id);
}

const crystal = () => card() && !busy && question.again("crystal");
const none = () => card() && !busy && question.again("none");

const KEYS = {
  y: crystal,
  n: none,
  l: unsure,
  t: pick,
  u: () => undo(),
  m: toggleMachine,
  ArrowRight: next,
  ArrowLeft: () => goTo(at - 1),
  Escape: () => question.close(),
};

function onKey(event) {
  if (isTyping(event)) return;
  if (event.key === "7" && !card()) {
    choose(7);
    return;
  }
  const outcome = card() ? outcomeOfKey(event) : null;
  const act = outcome ? () => score(outcome.name) : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  if (!event.repeat || event.key.startsWith("Arrow")) act(); // a key held down scores once
}

for (const [id, act] of [["yes", crystal], ["no", none], ["unsure", unsure], ["next", next], ["back", KEYS.ArrowLeft], ["pick", pick], ["show-machine", toggleMachine]]) byId(id).addEventListener("click", act);
setUpSwipes(byId("picture"), { right: crystal, left: none, up: unsure });
setUpPicks(() => card() && press(byId("pick"), isPicked(card().id)));
setUpHelp([
  ["y", "crystal: then which kind; y again: harvestable"], ["n", "no crystal: then what it is"],
  ["l", "unsure: no score, again at the end"], ["← →", "the drop before, the next one"],
  ["t", "tick the drop for the pick list"], ["u", "take your last score back"],
  ["m", "hide all that the machine says"], ["Esc", "answer nothing"],
], { scoring: true });
const named = showPerson();
byId("person").addEventListener("named", () => {
  named();
  if (person() !== today.person && !passed.size && !busy) load().catch(failed); // what is new is another's now
});
document.addEventListener("keydown", onKey);
load().catch((error) => {
  byId("told").textContent = `The list cannot be had: ${error.message}. Load this page again.`;
});
