// The list of plates.
import { byId, el, pageData } from "./dom.js";
import { setUpHelp } from "./help.js";
import { getJson, plateAddress, poll } from "./net.js";
import { autoBadge, groups, momentText, outcomes, outcomeOf } from "./words.js";

const POLL_MS = 3000;
const DESCENDING_FIRST = new Set(["images", "last_scored_at"]);

let { plates } = pageData();
let sort = { key: "plate", down: false };
const rows = new Map(); // barcode -> row, made once and kept up to date

const firstOf = Object.fromEntries([...outcomes.values()].reverse().filter((outcome) => outcome.group).map((outcome) => [outcome.group, outcome.name]));

function makeRow(plate) {
  const cells = Object.fromEntries(["name", "inspections", "images", "scored", "counts", "last", "table"].map((name) => [name, el("td")]));
  cells.images.className = "number";
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
  cells.inspections.replaceChildren(...plate.inspections.map((inspection) => el("a", { className: "inspection", href: plateAddress({ plate: plate.plate, inspection }), textContent: String(inspection), title: `Inspection ${inspection}` })));
  cells.images.textContent = String(plate.images);
  const bar = el("span");
  bar.style.width = `${plate.images ? (100 * plate.scored) / plate.images : 0}%`;
  cells.scored.replaceChildren(el("span", { className: "scored" }, el("span", { className: "track", "aria-hidden": "true" }, bar), el("span", { textContent: `${plate.scored} of ${plate.images}` })));
  cells.last.textContent = momentText(plate.last_scored_at) || "–";
  cells.table.replaceChildren(el("a", { className: "table", href: `/plate/${encodeURIComponent(plate.plate)}/scores.csv`, textContent: "CSV", title: "All scores of all inspections", download: "" }));
  seen.unobserve(row);
  seen.observe(row);
}

/** Counts are asked for when a row comes into sight. */
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting || target.dataset.counted) continue;
    target.dataset.counted = "yes";
    const { plate } = target.dataset;
    getJson(`/api/plate/${encodeURIComponent(plate)}/counts`).then((counts) => showCounts(rows.get(plate).cells.counts, counts)).catch(() => {});
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
  const crystals = el("span", { className: "of-crystal", title: `${counts.auto.crystal ?? 0} drops with crystals` }, autoBadge({ outcome: firstOf.crystal, probability: null }), el("span", { textContent: String(counts.auto.crystal ?? 0) }));
  const hand = el("span", { className: "dim", textContent: counts.manual ? `${counts.manual} by hand` : "" });
  cell.replaceChildren(el("span", { className: "counts" }, stack, crystals, hand));
}

function compare(a, b) {
  const [one, other] = [a[sort.key] ?? "", b[sort.key] ?? ""];
  const order = typeof one === "number" ? one - other : String(one).localeCompare(String(other), undefined, { numeric: true });
  return (sort.down ? -order : order) || a.plate.localeCompare(b.plate);
}

function show() {
  const wanted = byId("find").value.trim().toLowerCase();
  const shown = plates.filter((plate) => plate.plate.toLowerCase().includes(wanted)).sort(compare);
  byId("empty").hidden = plates.length > 0;
  byId("plates").hidden = shown.length === 0;
  byId("none-found").hidden = !plates.length || shown.length > 0;
  byId("total").textContent = plates.length ? String(plates.length) : "";
  for (const plate of plates) {
    if (!rows.has(plate.plate)) rows.set(plate.plate, makeRow(plate));
    fillRow(rows.get(plate.plate), plate);
  }
  const body = byId("plates").tBodies[0];
  const wantedRows = shown.map((plate) => rows.get(plate.plate).row);
  if (wantedRows.length !== body.rows.length || wantedRows.some((row, at) => row !== body.rows[at])) body.replaceChildren(...wantedRows);
  for (const button of document.querySelectorAll("[data-sort]")) {
    const heading = button.closest("th");
    if (button.dataset.sort === sort.key) heading.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  }
}

for (const button of document.querySelectorAll("[data-sort]")) {
  button.addEventListener("click", () => {
    const key = button.dataset.sort;
    sort = { key, down: key === sort.key ? !sort.down : DESCENDING_FIRST.has(key) };
    show();
  });
}
byId("find").addEventListener("input", show);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== byId("find")) {
    event.preventDefault();
    byId("find").focus();
  }
});
setUpHelp([["/", "find a plate"], ["Tab Enter", "open a plate"]]);
show();
poll(() => "/api/plates", { every: POLL_MS, changed: (news) => { ({ plates } = news); show(); } });
document.body.dataset.ready = "yes";
