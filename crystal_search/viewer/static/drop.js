// The drop page. It goes from drop to drop without loading anew.
import { CommentField, showComments } from "./comments.js";
import { showCondition } from "./condition.js";
import { showCourse } from "./course.js";
import { countText, crystalAt, CrystalList } from "./crystals.js";
import { byId, el, isTyping, pageData, press, say } from "./dom.js";
import { byHand, giveScore, outcomeOfKey, person, showPerson, takeBack } from "./hand.js";
import { setUpHelp } from "./help.js";
import { STEP } from "./lens.js";
import { listMarks } from "./marks.js";
import { giveMark, takeCommentBack, takeMarkBack, toggleFavourite } from "./marks_by_hand.js";
import { boardAddress, dropAddress, getJson, imageAddress, plateAddress, poll } from "./net.js";
import { isPicked, setUpPicks, togglePick } from "./picks.js";
import { ofMachine, ofPeople, showBars, showFacts, showLedger, showVerdicts } from "./scores.js";
import { Sight } from "./sight.js";
import { dropIn, scoreIn } from "./threshold.js";
import { arranged, readView, recallOrder, rememberDrop, viewParameters } from "./view.js";
import { autoBadge, buttonLabel, placeText } from "./words.js";

const POLL_MS = 2000;
const ADVANCE = "crystal-search then next drop";
const CRYSTALS = "crystal-search crystals on pictures";
const SHIFT_PX = 80; // by which an arrow moves the picture

let drop = pageData().drop;
let order = recallOrder(drop, readView(location.search)) ?? [];
let siblings = [];
let scoredHere = []; // drops that were scored one after the other, up to the one in sight
const known = new Map(); // drops asked for ahead of time
const view = readView(location.search);
let parameters = viewParameters(view);
const failed = (error) => say(error.message, { error: true });
const sight = new Sight(byId("panes"), {
  now: () => ({ drop, siblings, score: machine(), machine: view.frames === "on" }),
  scoreOf,
  act: (key) => KEYS[key](),
  open: (id) => going(() => open(id))(),
  step: (by) => going(() => step(by))(),
  mark: (marked, kind, place) => written(() => giveMark(marked, kind, place)),
  changed: () => {
    showAddress();
    show();
    showStrip();
  },
  pointed: (number, touched) => crystals.pointedAt(number, { kept: touched }),
  failed,
});
const comment = new CommentField(take);
const crystals = new CrystalList(byId("crystals"), {
  pointed: (number) => sight.panes.current.standOut(number),
  go: (number) => sight.panes.current.goToCrystal(number),
  pick: (crystal) => written(() => pickCrystal(crystal)),
});

let queue = Promise.resolve();
let busy = 0;

/** Do one thing after the other, however fast the keys come. */
function inTurn(act) {
  busy += 1;
  queue = queue.then(act).catch(failed).finally(() => {
    busy -= 1;
  });
  return queue;
}

/** The machine's score of an image as the view shows it. */
function scoreOf({ ledger }) {
  return scoreIn(ofMachine(ledger, view.recipe), view);
}

const machine = () => scoreOf(drop);
const whyNone = () => (view.recipe ? "the chosen model has not scored it" : drop.why_unscored);

function show() {
  const auto = machine();
  document.title = `${placeText(drop)}, ${drop.plate} – Crystal Search`;
  byId("place").textContent = `${drop.well} · drop ${drop.drop}`;
  byId("plate").textContent = `${drop.plate}, inspection ${drop.inspection}`;
  byId("up").href = `${plateAddress(drop, parameters)}#${drop.id}`;
  rememberDrop(drop.id);
  const at = order.indexOf(drop.id);
  byId("position").textContent = order.length ? `${at + 1} of ${order.length}` : "";
  byId("previous").disabled = at <= 0;
  byId("next").disabled = at < 0 || at >= order.length - 1;
  sight.show();
  showScores();
  showBars(byId("bars"), auto, whyNone());
  showLedger(byId("ledger"), drop.ledger);
  showComments(byId("comments"), drop.comments, (comment) => written(() => takeCommentBack(drop, comment)));
  showCrystals(auto);
  listMarks(byId("marks"), drop, (mark) => written(() => takeMarkBack(drop, mark)));
  comment.show(drop);
  showCondition(drop);
  showPick();
  showFacts(byId("facts"), drop, auto);
}

const addressOf = (each) => dropAddress(each, { ...parameters, ...sight.parameters });
const showAddress = () => history.replaceState(null, "", addressOf(drop));

/** Write something about an image, and show what the server says of it then. */
const written = (write) => inTurn(async () => {
  const answer = await write();
  if (!answer) return;
  sight.takeOver(answer);
  take(answer);
});

/** One's own mark of a crystal: a mark where crystals lie on each other is of the smallest. */
const markIn = (crystal) => drop.marks.find(({ kind, person: name, place }) => kind === "pick" && name === person() && place && isSame(crystalAt(shownCrystals, middleOf(place)), crystal));
const isSame = (one, other) => one !== null && one.area_px2 === other.area_px2 && one.middle_row_px === other.middle_row_px && one.middle_column_px === other.middle_column_px;
let shownCrystals = [];
const middleOf = ([top, left, bottom = top + 1, right = left + 1]) => ({ row: (top + bottom) / 2, column: (left + right) / 2 });

/** Mark a crystal as one to pick, in its middle, or take one's mark back. */
function pickCrystal(crystal) {
  const mark = markIn(crystal);
  if (mark) return takeMarkBack(drop, mark);
  return giveMark(drop, "pick", [Math.floor(crystal.middle_row_px), Math.floor(crystal.middle_column_px)]);
}

/** List the crystals that the machine found, if it looked for them. */
function showCrystals(auto) {
  shownCrystals = auto?.crystals ?? [];
  byId("crystals-found").hidden = !auto?.crystals;
  byId("show-crystals").hidden = !auto?.crystals;
  byId("crystals-count").textContent = auto ? countText(auto.crystals_found, auto.longest_px, drop.um_per_px) : "";
  crystals.show({ id: drop.id, crystals: auto?.crystals ?? null, scale: drop.um_per_px, marked: markIn });
}

/** Show whether the drop is on the pick list. */
function showPick() {
  press(byId("pick"), isPicked(drop.id));
}

/** Show the newest scores; without one by hand, the one from the latest earlier inspection. */
function showScores() {
  const people = ofPeople(drop.ledger);
  const before = siblings.filter((each) => each.people.length && each.channel === drop.channel && each.well === drop.well && each.drop === drop.drop && each.inspection < drop.inspection).at(-1);
  showVerdicts(byId("verdicts"), machine(), people, whyNone(), before ? { ...before.people[0], inspection: before.inspection } : null);
  const own = people.find((score) => score.person === person());
  for (const button of byId("buttons").children) press(button, button.dataset.outcome === own?.outcome);
}

async function fetchOrder() {
  const board = await getJson(boardAddress({ ...drop, recipe: view.recipe }));
  const drops = board.drops.map((each) => dropIn(each, view));
  const ids = arranged(drops, view).map((each) => each.id);
  const remembered = recallOrder(drop, view);
  order = remembered?.includes(drop.id) ? remembered : ids;
  if (!order.includes(drop.id)) order = arranged(drops, { ...view, scored: "all", classes: "", pmin: "0", pmax: "100" }).map((each) => each.id);
  show();
  lookAhead();
}

async function fetchSiblings() {
  const { id } = drop;
  const answer = await getJson(`/api/drop/${id}/siblings`);
  if (id !== drop.id) return;
  siblings = answer.drops;
  sight.show();
  showStrip();
  showScores();
}

function showStrip() {
  showCourse(siblings, drop.id, { address: addressOf, machine: view.frames === "on", opened: (id) => going(() => open(id))() });
}

const fetchDrop = (id) => getJson(`/api/drop/${id}`);

/** Ask for the neighbours' scores and images, so that the next key shows them at once. */
async function lookAhead() {
  const at = order.indexOf(drop.id);
  for (const id of [order[at + 1], order[at + 2], order[at - 1]]) {
    if (id === undefined || known.has(id)) continue;
    known.set(id, fetchDrop(id).then((found) => {
      new Image().src = imageAddress(found);
      return found;
    }));
    known.get(id).catch(() => known.delete(id));
  }
  while (known.size > 12) known.delete(known.keys().next().value);
}

async function open(id) {
  if (id === undefined || id === drop.id) return;
  await comment.send();
  sight.endFilm();
  const found = await (known.get(id) ?? fetchDrop(id));
  known.delete(id);
  if (sight.beside > 1 && !siblings.some((each) => each.id === id)) siblings = (await getJson(`/api/drop/${id}/siblings`)).drops;
  const same = boardAddress(found) === boardAddress(drop);
  drop = found;
  showAddress();
  show();
  if (!same) orderKnown = fetchOrder().catch(failed);
  lookAhead();
  fetchSiblings().catch(failed);
}

/** Return what goes to another drop because somebody wants to see it: what was scored before is not taken back from there. */
const going = (act) => () => inTurn(() => {
  scoredHere = [];
  return act();
});

async function step(by) {
  await orderKnown;
  if (!order.includes(drop.id)) await fetchOrder(); // the first try failed
  const at = order.indexOf(drop.id);
  if (at >= 0) await open(order[at + by]);
}

async function toInspection(by) {
  const course = siblings.filter((each) => each.channel === drop.channel);
  await open(course[course.findIndex((each) => each.id === drop.id) + by]?.id);
}

/** Score the drop that is in sight: never one that keys typed ahead would reach before it is seen. */
function score(outcome) {
  const why = busy ? "the image was not there yet." : sight.whyNotReady;
  if (why) say(`Not scored: ${why}`);
  else inTurn(() => scoreNow(outcome));
}

async function scoreNow(outcome) {
  const { id } = drop;
  await comment.send();
  const scored = await giveScore(drop, outcome);
  if (!scored) return;
  scoredHere.push(id);
  take(scored);
  if (byId("advance").checked) await step(1);
}

/** Show what the ledger says now of a drop, if that is still the one in sight. */
function take(answer) {
  if (answer.id !== drop.id) return;
  drop = answer;
  show();
  fetchSiblings().catch(failed);
}

/** Go up to the plate once the comment is added that was being written. */
async function goUp(event) {
  if (!comment.waits) return;
  event.preventDefault();
  await inTurn(() => comment.send());
  location.href = byId("up").href;
}

/** Take back one's last score of the drop in sight, or of the one before it from which its score led here. */
async function undo() {
  await open(scoredHere.pop());
  const scored = await takeBack(drop, ofPeople(drop.ledger));
  if (scored) take(scored);
}

/** Show or hide all that the machine says, here and on the plate. */
function toggleMachine() {
  view.frames = view.frames === "on" ? "off" : "on";
  parameters = viewParameters(view);
  showAddress();
  showMachine();
  show();
  showStrip();
}

function showMachine() {
  document.body.classList.toggle("without-frames", view.frames === "off");
  press(byId("show-machine"), view.frames === "on");
}

function toggle(id, name) {
  const off = byId("panes").classList.toggle(name);
  press(byId(id), id === "hide-all" ? off : !off);
}

/** Draw the crystals on pictures, or no longer; this browser remembers it. */
function toggleCrystals() {
  toggle("show-crystals", "no-crystals");
  localStorage.setItem(CRYSTALS, byId("panes").classList.contains("no-crystals") ? "no" : "yes");
}

const KEYS = {
  ArrowLeft: going(() => step(-1)),
  ArrowRight: going(() => step(1)),
  ArrowUp: () => byId("up").click(),
  ",": going(() => toInspection(-1)),
  ".": going(() => toInspection(1)),
  o: () => toggle("show-outline", "no-outline"),
  f: () => toggle("show-frames", "no-frames"),
  i: toggleCrystals,
  m: toggleMachine,
  h: () => toggle("hide-all", "bare"),
  u: () => inTurn(undo),
  a: () => byId("advance").click(),
  t: () => togglePick(drop.id),
  z: () => sight.move((lens) => lens.fitDrop()),
  r: () => sight.move((lens) => lens.fit()),
  "+": () => sight.move((lens) => lens.zoomBy(STEP)),
  "=": () => sight.move((lens) => lens.zoomBy(STEP)),
  "-": () => sight.move((lens) => lens.zoomBy(1 / STEP)),
  _: () => sight.move((lens) => lens.zoomBy(1 / STEP)),
  d: () => sight.choose("measure"),
  p: () => sight.choose("pick"),
  e: () => sight.choose("dispense"),
  s: () => written(() => toggleFavourite(drop)),
  l: () => sight.nextLight(),
  g: () => sight.toggleBeside(),
  k: () => sight.toggleFilm(),
  "<": () => sight.faster(-1),
  ">": () => sight.faster(1),
};

const MOVES = { ArrowLeft: [SHIFT_PX, 0], ArrowRight: [-SHIFT_PX, 0], ArrowUp: [0, SHIFT_PX], ArrowDown: [0, -SHIFT_PX] };
const MAY_BE_HELD = new Set([...Object.keys(MOVES), ",", ".", "+", "=", "-", "_"]); // the others write, or turn something on and off

/** Return what a key does, or nothing. */
function actOf(event) {
  const outcome = outcomeOfKey(event);
  if (outcome) return () => score(outcome.name);
  if (event.shiftKey && MOVES[event.key]) return () => sight.move((lens) => lens.moveBy(...MOVES[event.key]));
  if (event.key === "Escape" && sight.hasInHand) return () => sight.leave();
  if (event.key === "Enter" && sight.tool && !event.target.closest("a, button")) return () => sight.use({ corner: event.shiftKey });
  return KEYS[event.key];
}

function onKey(event) {
  const act = isTyping(event) ? null : actOf(event);
  if (!act) return;
  event.preventDefault();
  if (!event.repeat || MAY_BE_HELD.has(event.key)) act(); // a key held down scores once: scores stay for good
}

function setUpButtons() {
  for (const outcome of byHand) {
    const button = el(
      "button", { type: "button", title: `${outcome.label} (${outcome.key}${outcome.key === "x" ? "" : `, Shift+${outcome.letter}`})` },
      el("kbd", { textContent: outcome.key }), autoBadge({ outcome: outcome.name, probability: null }), el("span", { textContent: buttonLabel(outcome) }),
    );
    button.dataset.outcome = outcome.name;
    button.addEventListener("click", () => score(outcome.name));
    byId("buttons").append(button);
  }
  byId("buttons").addEventListener("keydown", (event) => event.repeat && event.preventDefault());
  for (const [id, key] of [["previous", "ArrowLeft"], ["next", "ArrowRight"], ["show-outline", "o"], ["show-frames", "f"], ["show-crystals", "i"], ["hide-all", "h"], ["show-machine", "m"], ["pick", "t"]]) {
    byId(id).addEventListener("click", KEYS[key]);
  }
  byId("advance").checked = localStorage.getItem(ADVANCE) !== "no";
  byId("advance").addEventListener("change", () => localStorage.setItem(ADVANCE, byId("advance").checked ? "yes" : "no"));
  if (localStorage.getItem(CRYSTALS) === "no") toggle("show-crystals", "no-crystals");
  byId("up").addEventListener("click", goUp);
}

setUpButtons();
setUpPicks(showPick);
showMachine();
setUpHelp([
  ["← →", "previous, next drop"], ["↑", "back to the plate overview"],
  [", .", "previous, next inspection"], ["u", "take your last score back"],
  ["m", "hide all that the machine says"], ["o", "outline of the drop"], ["f", "frames of the best chops"], ["i", "crystals, one by one"],
  ["h", "hide all on the image"], ["a", "after a score, the next drop"], ["t", "tick the drop for the pick list"],
  ["z r", "zoom to the drop, whole image"], ["+ -", "larger, smaller (or the wheel)"],
  ["⇧← ⇧→ ⇧↑ ⇧↓", "move the image"], ["l", "the next channel"],
  ["g", "inspections side by side"], ["k", "inspections as a film"], ["< >", "slower, faster"],
  ["d", "measure"], ["p e", "mark a crystal to pick, a place to dispense"], ["s", "favourite, or no longer"],
  ["Enter ⇧Enter", "use the tool in the middle; put down its first corner"], ["Esc", "lay the tool aside"],
], { scoring: true });
byId("person").addEventListener("named", showPerson());
document.addEventListener("keydown", onKey);
show();
let orderKnown = fetchOrder().catch(failed);
fetchSiblings().catch(failed);
poll(() => `/api/drop/${drop.id}`, {
  every: POLL_MS,
  changed: (news) => {
    if (news.id !== drop.id || JSON.stringify(news) === JSON.stringify(drop)) return;
    drop = news;
    show();
    fetchSiblings().catch(failed);
  },
});
document.body.dataset.ready = "yes";
