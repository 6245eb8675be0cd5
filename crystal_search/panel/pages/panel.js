"use strict";
/* global classes, given, $, el, labelOf, classOfKey, makeClasses: of choosing.js, which stands before. */
const { places } = given;

/** Place -> class, as they are kept on the disk. */
const answers = new Map(Object.entries(given.answers).map(([place, answer]) => [Number(place), answer]));
let at = 0;
let sending = false;
let sight = null; // the place whose picture is in sight

const pictureAt = (place) => `picture/${place}`;

function say(trouble) {
  $("trouble").textContent = trouble;
  $("trouble").hidden = !trouble;
}

/** Say of the page whether an answer would be taken now. */
function showState() {
  document.body.dataset.state = sending ? "sending" : sight === at ? "ready" : "loading";
}

function showAnswer() {
  const answer = answers.get(at);
  $("title").textContent = `Image ${at + 1} of ${places}${answer ? `: you said ${labelOf(answer)}` : ""}`;
  for (const button of $("classes").children) button.setAttribute("aria-pressed", String(button.dataset.name === answer));
  $("bar").value = answers.size;
  $("count").textContent = answers.size === places ? `all ${places} answered, thank you` : `${answers.size} of ${places} answered`;
}

function show(place) {
  at = Math.min(Math.max(0, place), places - 1);
  sight = null;
  $("image").src = pictureAt(at);
  $("image").alt = `Image ${at + 1}`;
  $("stage").scrollTo(0, 0);
  showAnswer();
  showState();
}

/** Keep the answer to the picture in sight, then go on; where it cannot be kept, say so and stay. */
async function choose(answer) {
  if (sending || sight !== at) return; // a key typed ahead never answers the next picture
  sending = true;
  showState();
  const place = at;
  try {
    const response = await fetch("answer", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ place, answer }),
    });
    if (!response.ok) throw new Error((await response.json()).error);
    answers.set(place, answer);
    say("");
    if (at === place) show(place + 1);
  } catch (error) {
    say(`This answer is not kept: ${error.message}. Give it again.`);
  } finally {
    sending = false;
    showAnswer();
    showState();
  }
}

function nextOpen() {
  const order = Array.from({ length: places }, (_, step) => (at + 1 + step) % places);
  const next = order.find((place) => !answers.has(place));
  if (next !== undefined) show(next);
}

/** Show the picture as large as it is, with what was pressed in the middle, or all of it. */
function zoom(event) {
  const image = $("image");
  const { left, top, width, height } = image.getBoundingClientRect();
  const [across, down] = event?.clientX ? [(event.clientX - left) / width, (event.clientY - top) / height] : [0.5, 0.5];
  const full = $("stage").classList.toggle("full");
  $("zoom").setAttribute("aria-pressed", String(full));
  if (full) $("stage").scrollTo(across * image.offsetWidth - $("stage").clientWidth / 2, down * image.offsetHeight - $("stage").clientHeight / 2);
}

const MOVES = { ArrowLeft: () => show(at - 1), ArrowRight: () => show(at + 1), n: nextOpen, z: () => zoom() };

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const name = classOfKey(event)?.name;
  const act = name ? () => choose(name) : MOVES[event.key];
  if (!act) return;
  event.preventDefault();
  if (!event.repeat) act(); // a key held down answers once
}

makeClasses(choose);
$("image").addEventListener("load", () => {
  sight = at;
  showState();
  if (at + 1 < places) new Image().src = pictureAt(at + 1);
});
$("image").addEventListener("error", () => {
  say("This picture cannot be shown. Go on with the next one, and tell whoever gave you the link.");
});
$("image").addEventListener("click", zoom);
$("back").addEventListener("click", MOVES.ArrowLeft);
$("on").addEventListener("click", MOVES.ArrowRight);
$("open").addEventListener("click", nextOpen);
$("zoom").addEventListener("click", MOVES.z);
document.addEventListener("keydown", onKey);
show(0);
if (answers.has(0)) nextOpen();
document.body.dataset.ready = "yes";
