// The drops that somebody ticked, on whatever plate: this browser remembers them, and the address of their list names them.
import { byId, el, press, say } from "./dom.js";

const PICKS = "crystal-search picks";
const MOST = 500;

let ids = recalled();
let changed = () => {};

function recalled() {
  try {
    const kept = JSON.parse(localStorage.getItem(PICKS)) ?? [];
    return kept.filter(Number.isInteger);
  } catch {
    return [];
  }
}

function keep(next) {
  ids = next;
  try {
    localStorage.setItem(PICKS, JSON.stringify(ids));
  } catch {
    say("This browser keeps nothing: the list ends with this page.", { error: true });
  }
  changed();
}

export const isPicked = (id) => ids.includes(id);
export const picksAddress = (list) => `/picks?ids=${list.join(",")}`;
export const dropPick = (id) => keep(ids.filter((each) => each !== id));

/** Put a drop on the list, or take it off. */
export function togglePick(id) {
  if (isPicked(id)) dropPick(id);
  else if (ids.length >= MOST) say(`A list holds ${MOST} drops; clear it first.`, { error: true });
  else keep([...ids, id]);
}

function tray() {
  const list = el("a", { className: "button", textContent: "Pick list" });
  const clear = el("button", { type: "button", className: "quiet", textContent: "Clear" });
  const count = el("span", { role: "status" });
  const box = el("aside", { className: "tray", "aria-label": "Pick list", hidden: true }, count, list, clear);
  clear.addEventListener("click", () => keep([]));
  document.querySelector("main").after(box);
  return () => {
    box.hidden = !ids.length;
    count.textContent = ids.length ? `${ids.length} ${ids.length === 1 ? "drop" : "drops"} ticked` : "";
    list.href = picksAddress(ids);
  };
}

/** Show the list at the bottom of the page; `show` is told when it changes, here or in another tab. */
export function setUpPicks(show) {
  const showTray = tray();
  changed = () => {
    showTray();
    show();
  };
  addEventListener("storage", (event) => {
    if (event.key !== PICKS && event.key !== null) return;
    ids = recalled();
    changed();
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    ids = recalled();
    changed();
  });
  changed();
}

/** Have a press on a tile tick its drop: on its corner always, anywhere while the button is pressed. */
export function setUpTicking(element, tileOf) {
  const picking = byId("picking");
  const isOn = () => picking.getAttribute("aria-pressed") === "true";
  picking.addEventListener("click", () => {
    press(picking, !isOn());
    element.classList.toggle("picking", isOn());
  });
  element.addEventListener("click", (event) => {
    const tile = tileOf(event.target);
    if (!tile || event.ctrlKey || event.metaKey || event.shiftKey || !(isOn() || event.target.closest(".tick"))) return;
    event.preventDefault();
    togglePick(tile.drop.id);
  });
}
