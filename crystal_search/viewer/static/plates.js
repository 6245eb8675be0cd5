// The list of plates. The server searches, sorts and cuts it into pages.
import { byId, el, pageData, say } from "./dom.js";
import { setUpHelp } from "./help.js";
import { getJson, plateAddress, poll } from "./net.js";
import { autoBadge, groups, momentText, outcomes, outcomeOf, percent, timeText } from "./words.js";

const POLL_MS = 3000;
const SEARCH_MS = 180; // after the last key
const NEWEST = "newest_at";
const FACTS = ["project", "protein", "owner"];

let list = pageData();
let asked = 0; // how often the server was asked: only the last answer is shown
const rows = new Map(); // barcode -> row, made once and kept up to date

const firstOf = Object.fromEntries([...outcomes.values()].reverse().filter((outcome) => outcome.group).map((outcome) => [outcome.group, outcome.name]));
const CELLS = [["name", "Plate"], ["project", "Project"], ["protein", "Protein"], ["owner", "Owner"], ["inspections", "Inspections"], ["scored", "Scored"], ["crystals", "Crystals"], ["crystals_by_hand", "By hand"], ["best", "Best drop"], ["disagreements", "Differ"], ["counts", "Latest inspection"], ["newest", "Newest image"], ["table", ""]];
const NUMBERS = ["crystals", "crystals_by_hand", "disagreements"];

/** Return what an address says of the list, without what goes without saying. */
function parameters({ search, sort, turned, page }) {
  const words = { search, sort: sort === NEWEST ? "" : sort, turned: turned ? "yes" : "", page: page > 1 ? String(page) : "" };
  return new URLSearchParams(Object.entries(words).filter(([, word]) => word)).toString();
}

const withQuestion = (words) => (words ? `?${words}` : "");
const addressOf = (wanted) => `/api/plates${withQuestion(parameters(wanted))}`;

/** A time without its day where that is today. */
const soonText = (iso) => (new Date(iso).toDateString() === new Date().toDateString() ? timeText(iso) : momentText(iso));

function makeRow(plate) {
  const cells = Object.fromEntries(CELLS.map(([name, title]) => [name, el("td", { className: `of-${name}${NUMBERS.includes(name) ? " number" : ""}`, "data-title": title })]));
  const row = el("tr", {}, ...Object.values(cells));
  row.dataset.plate = plate.plate;
  seen.observe(row);
  return { row, cells };
}

function fillRow({ row, cells }, plate) {
  const state = JSON.stringify(plate);
  if (row.dataset.state === state) return;
  row.dataset.state = state;
  delete row.dataset.counted;
  cells.name.replaceChildren(el("a", { className: "barcode", href: plateAddress({ plate: plate.plate }), textContent: plate.plate }));
  for (const name of FACTS) {
    cells[name].textContent = plate[name];
    cells[name].title = plate[name];
  }
  cells.inspections.replaceChildren(...plate.inspections.map((inspection) => el("a", { className: "inspection", href: plateAddress({ plate: plate.plate, inspection }), textContent: String(inspection), title: `Inspection ${inspection}` })));
  const bar = el("span");
  bar.style.width = `${plate.images ? (100 * plate.scored) / plate.images : 0}%`;
  cells.scored.replaceChildren(el("span", { className: "scored", title: plate.last_scored_at ? `last at ${momentText(plate.last_scored_at)}` : "" }, el("span", { className: "track", "aria-hidden": "true" }, bar), el("span", { textContent: `${plate.scored} of ${plate.images}` }), plate.done_at ? el("span", { className: "dim done", textContent: `done about ${soonText(plate.done_at)}` }) : null));
  for (const name of NUMBERS) cells[name].textContent = plate[name] ? String(plate[name]) : "–";
  const { best } = plate;
  cells.best.replaceChildren(best ? el("a", { href: `/drop/${best.image_id}`, textContent: `${best.well}·${best.drop} ${percent(best.p_crystal)}` }) : "–");
  cells.newest.textContent = momentText(plate.newest_at) || "–";
  cells.table.replaceChildren(el("a", { className: "table", href: `/plate/${encodeURIComponent(plate.plate)}/scores.csv`, textContent: "CSV", title: "All scores of all inspections", download: "" }));
  seen.unobserve(row);
  seen.observe(row);
}

/** The groups of the latest inspection are asked for when a row comes into sight. */
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting || target.dataset.counted) continue;
    target.dataset.counted = "yes";
    const { plate } = target.dataset;
    getJson(`/api/plate/${encodeURIComponent(plate)}/counts`).then((counts) => showCounts(rows.get(plate)?.cells.counts, counts)).catch(() => {});
  }
});

function showCounts(cell, counts) {
  const stack = el("span", { className: "stack", role: "img" });
  const words = [];
  for (const name of [...groups, "unsure", "no_drop", "unreadable", "unscored"]) {
    const number = counts.auto[name] ?? 0;
    if (!number) continue;
    const part = el("span", { className: `is-${firstOf[name] ?? name}` });
    part.style.width = `${(100 * number) / counts.drops}%`;
    stack.append(part);
    words.push(`${number} ${groups.includes(name) ? name : outcomeOf(name).label.toLowerCase()}`);
  }
  stack.title = words.join(", ");
  stack.setAttribute("aria-label", stack.title);
  const hand = el("span", { className: "dim", textContent: counts.manual ? `${counts.manual} by hand` : "" });
  cell?.replaceChildren(el("span", { className: "counts" }, stack, hand));
}

function show() {
  const { plates, found, all, page, pages } = list;
  byId("empty").hidden = all > 0;
  byId("plates").hidden = plates.length === 0;
  byId("none-found").hidden = !all || found > 0;
  byId("total").textContent = found === all ? String(all || "") : `${found} of ${all}`;
  for (const barcode of rows.keys()) if (!plates.some(({ plate }) => plate === barcode)) rows.delete(barcode);
  for (const plate of plates) {
    if (!rows.has(plate.plate)) rows.set(plate.plate, makeRow(plate));
    fillRow(rows.get(plate.plate), plate);
  }
  const body = byId("plates").tBodies[0];
  const wantedRows = plates.map((plate) => rows.get(plate.plate).row);
  if (wantedRows.length !== body.rows.length || wantedRows.some((row, at) => row !== body.rows[at])) body.replaceChildren(...wantedRows);
  byId("pager").hidden = pages < 2;
  byId("page").textContent = `Page ${page} of ${pages}`;
  byId("before").disabled = page <= 1;
  byId("after").disabled = page >= pages;
  showOrder();
}

function showOrder() {
  for (const button of document.querySelectorAll("[data-sort]")) {
    const heading = button.closest("th");
    const isText = button.dataset.sort === "plate" || FACTS.includes(button.dataset.sort);
    if (button.dataset.sort === list.sort) heading.setAttribute("aria-sort", isText === list.turned ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  }
}

/** Ask for another part of the list. */
async function ask(part) {
  const wanted = { ...list, page: 1, ...part };
  const number = (asked += 1);
  history.replaceState(null, "", withQuestion(parameters(wanted)) || location.pathname);
  list = { ...list, ...wanted }; // what is polled from now on
  const answer = await getJson(addressOf(wanted));
  if (number !== asked) return;
  list = answer;
  show();
}

const wish = (part) => ask(part).catch((error) => say(error.message, { error: true }));

for (const button of document.querySelectorAll("[data-sort]")) {
  button.addEventListener("click", () => wish({ sort: button.dataset.sort, turned: button.dataset.sort === list.sort && !list.turned }));
}
byId("before").addEventListener("click", () => wish({ page: list.page - 1 }));
byId("after").addEventListener("click", () => wish({ page: list.page + 1 }));
let soon = null;
byId("find").value = list.search;
byId("find").addEventListener("input", () => {
  clearTimeout(soon);
  soon = setTimeout(() => wish({ search: byId("find").value.trim() }), SEARCH_MS);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== byId("find")) {
    event.preventDefault();
    byId("find").focus();
  }
});
setUpHelp([["/", "find plates"], ["Tab Enter", "open a plate"]]);
show();
poll(() => addressOf(list), {
  every: POLL_MS,
  changed: (news) => {
    if (parameters(news) !== parameters(list)) return; // an answer to what was asked before
    list = news;
    show();
  },
});
document.body.dataset.ready = "yes";
