// The strip below the picture: the same drop at other inspections and in other channels.
import { byId, el } from "./dom.js";
import { Tile } from "./tile.js";
import { takenDay } from "./words.js";

/** Show these images, the one in sight marked; `opened` gets the id of one that is to be opened on this page. */
export function showCourse(siblings, id, { address, machine, opened }) {
  const strip = byId("course");
  const focused = strip.contains(document.activeElement);
  const channels = [...new Set(siblings.map((each) => each.channel))];
  const figures = (channel) => siblings.filter((each) => each.channel === channel).map((each) => figure(each, each.id === id));
  strip.replaceChildren(...channels.map((channel) => el("div", { className: "family" }, ...figures(channel))));
  if (focused) strip.querySelector(".here")?.focus();

  function figure(each, here) {
    const tile = new Tile(each, { address: address(each), lazy: false, machine });
    tile.element.addEventListener("click", (event) => openInPlace(event, () => opened(each.id)));
    tile.element.classList.toggle("here", here);
    if (here) tile.element.setAttribute("aria-current", "true");
    const aspect = each.auto?.aspect;
    if (aspect) tile.element.style.setProperty("--aspect", String(aspect));
    const when = each.imaged_at ? ` · ${takenDay(each.imaged_at)}` : "";
    const channel = each.channel === "visible" ? "" : ` · ${each.channel}`;
    return el("figure", {}, tile.element, el("figcaption", { textContent: `${each.inspection}${channel}${when}`, title: `Inspection ${each.inspection}${channel}${when}` }));
  }
}

/** Open a drop of the strip on this page, so that zoom and focus stay; another tab is the browser's business. */
function openInPlace(event, open) {
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  open();
}
