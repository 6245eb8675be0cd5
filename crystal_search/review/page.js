/* global classes, given, $, el, badge, byName, labelOf, classOfKey, makeClasses: of choosing.js, which stands before. */
const { id, items } = given;
const KEPT = `crystal-search review ${id}`;
const SKIPPED = "skipped";

/** Image name -> outcome, or SKIPPED. */
const decisions = new Map();
let at = 0;

const percent = (share) => `${Math.round(100 * share)} %`;

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    const known = new Set(items.map((item) => item.image));
    for (const [image, decision] of Object.entries(kept.decisions ?? {})) {
      if (known.has(image) && (decision === SKIPPED || byName.has(decision))) decisions.set(image, decision);
    }
    at = Math.min(Math.max(0, kept.at ?? 0), items.length - 1);
    localStorage.setItem(KEPT, JSON.stringify(kept));
  } catch {
    $("trouble").hidden = false;
  }
}

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ at, decisions: Object.fromEntries(decisions) }));
  } catch {
    $("trouble").hidden = false;
  }
}

const changed = () => items.filter((item) => ![undefined, SKIPPED, item.old].includes(decisions.get(item.image)));

const rows = [];

function makeList() {
  items.forEach((item, index) => {
    const picture = el("img", { loading: "lazy", alt: "", src: item.picture ?? item.chops[0]?.file ?? "" });
    const mark = el("span");
    const name = el("span", { className: "name" }, el("bdi", { dir: "ltr", textContent: item.image }));
    const button = el("button", { type: "button", title: item.image }, picture, name, mark);
    button.addEventListener("click", () => show(index));
    rows.push({ button, mark });
    $("list").append(el("li", {}, button));
  });
}

function markRow(index) {
  const { button, mark } = rows[index];
  const item = items[index];
  const decision = decisions.get(item.image);
  if (decision === undefined) mark.replaceChildren(badge(item.old));
  else if (decision === SKIPPED) mark.replaceChildren(el("span", { className: "done", textContent: "skipped" }));
  else if (decision === item.old) mark.replaceChildren(badge(item.old), el("span", { className: "done", textContent: " ✓" }));
  else mark.replaceChildren(badge(item.old), el("span", { className: "done", textContent: " → " }), badge(decision));
  button.classList.toggle("decided", decision !== undefined);
}

function showProgress() {
  $("bar").value = decisions.size;
  $("count").textContent = `${decisions.size} of ${items.length} looked at, ${changed().length} changed`;
}

function frames(item) {
  return item.chops.flatMap((chop, index) => {
    if (!chop.place) return [];
    const frame = el("div", { className: index ? "place" : "place first" }, el("span", { textContent: index + 1 }));
    ["top", "left", "height", "width"].forEach((edge, side) => {
      frame.style[edge] = `${100 * chop.place[side]}%`;
    });
    frame.dataset.chop = index;
    return [frame];
  });
}

function chopFigure(chop, index) {
  const says = el("span", { textContent: `${labelOf(chop.says)} ${percent(chop.probability)}` });
  const figure = el("figure", {}, el("img", { alt: `chop ${index + 1}`, src: chop.file }), el("figcaption", {}, el("b", { textContent: index + 1 }), says));
  const marked = (on) => () => document.querySelector(`.place[data-chop="${index}"]`)?.classList.toggle("marked", on);
  figure.addEventListener("pointerenter", marked(true));
  figure.addEventListener("pointerleave", marked(false));
  return figure;
}

function showPictures(item) {
  $("picture").hidden = !item.picture;
  $("picture").style.aspectRatio = `1 / ${item.proportion}`;
  $("picture").replaceChildren(...(item.picture ? [el("img", { alt: item.image, src: item.picture })] : []), ...frames(item));
  const count = item.chops.length === item.chopCount ? `${item.chopCount}` : `${item.chops.length} of ${item.chopCount}`;
  $("chops-title").textContent = !item.chopCount ? "The network looked at the whole image at once" : `The ${count} chops, those that speak most against the label first, and what the network says of each`;
  $("chops").replaceChildren(...item.chops.map(chopFigure));
}

function showDecision(item) {
  const decision = decisions.get(item.image);
  if (decision === undefined) $("decision").replaceChildren(el("span", { className: "dim", textContent: "none yet" }));
  else if (decision === SKIPPED) $("decision").replaceChildren("skipped");
  else $("decision").replaceChildren(badge(decision), labelOf(decision), ...(decision === item.old ? [" (it is right)"] : []));
  for (const button of $("classes").children) {
    button.setAttribute("aria-pressed", String(button.dataset.name === decision));
    button.classList.toggle("now", button.dataset.name === item.old);
  }
}

/** Show the image at a place of the list; it is kept, too. */
function show(index) {
  rows[at].button.removeAttribute("aria-current");
  at = Math.min(Math.max(0, index), items.length - 1);
  const item = items[at];
  rows[at].button.setAttribute("aria-current", "true");
  rows[at].button.scrollIntoView({ block: "nearest" });
  const place = [item.plate && `plate ${item.plate}`, item.well && `well ${item.well}`].filter(Boolean).join(", ");
  $("title").replaceChildren(el("b", { textContent: item.image }), ` ${place} `, el("span", { className: "dim", textContent: `${at + 1} of ${items.length}, mean loss ${item.loss}` }));
  $("old").replaceChildren(badge(item.old), labelOf(item.old));
  const agrees = item.suggestion === item.old ? (item.chopCount ? " (the same, but some chops differ)" : " (the same)") : "";
  $("suggestion").replaceChildren(badge(item.suggestion), `${labelOf(item.suggestion)} ${percent(item.probability)}${agrees}`);
  showPictures(item);
  showDecision(item);
  $("stage").scrollTop = 0;
  keep();
}

function changeTo(decision) {
  const item = items[at];
  if (decision === null) decisions.delete(item.image);
  else decisions.set(item.image, decision);
  markRow(at);
  showProgress();
  show(decision === null ? at : at + 1);
}

function nextUndecided() {
  const order = [...items.keys()].map((step) => (at + 1 + step) % items.length);
  const next = order.find((index) => !decisions.has(items[index].image));
  if (next !== undefined) show(next);
}

/** A cell that no spreadsheet takes for a formula, as columns.harmless makes them. */
const harmless = (text) => (/^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text);
const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const field = (text) => quoted(harmless(text));

function download() {
  const lines = changed().map((item) => [item.image, item.well, item.old, decisions.get(item.image)].map(field).join(","));
  const text = ["image,well,old,new", ...lines, ""].join("\n");
  const link = el("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "corrections.csv" });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const MOVES = {
  ArrowLeft: () => show(at - 1),
  ArrowUp: () => show(at - 1),
  ArrowRight: () => show(at + 1),
  ArrowDown: () => show(at + 1),
  n: nextUndecided,
};
const DECISIONS = { Enter: () => changeTo(items[at].suggestion), s: () => changeTo(SKIPPED), u: () => changeTo(null) };

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || (event.key === "Enter" && event.target.id === "download")) return;
  const name = classOfKey(event)?.name;
  const decide = name ? () => changeTo(name) : DECISIONS[event.key];
  const act = decide ?? MOVES[event.key];
  if (!act) return;
  event.preventDefault(); // Enter would press the button that has the focus, too
  if (!(decide && event.repeat)) act(); // a key held down decides once
}

load();
makeList();
makeClasses(changeTo);
items.forEach((_, index) => markRow(index));
showProgress();
$("accept").addEventListener("click", DECISIONS.Enter);
$("skip").addEventListener("click", DECISIONS.s);
$("undo").addEventListener("click", DECISIONS.u);
$("open").addEventListener("click", nextUndecided);
$("download").addEventListener("click", download);
document.addEventListener("keydown", onKey);
show(at);
document.body.dataset.ready = "yes";
