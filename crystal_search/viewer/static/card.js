// One of the best drops, large: its picture, whose it is, what was said of it, and its history.
import { byId, el } from "./dom.js";
import { dropAddress, imageAddress, plateAddress, thumbnailAddress } from "./net.js";
import { Tile } from "./tile.js";
import { autoBadge, crystalsText, describe, handBadge, outcomeOf, percent, placeText, takenDay, takenText } from "./words.js";

const DAY_MS = 86_400_000;

/** "today", "yesterday" or "12 days ago", by days of this browser's calendar. */
export function ageText(iso, now = new Date()) {
  const [year, month, day] = takenDay(iso).split("-").map(Number);
  const days = Math.round((new Date(now.getFullYear(), now.getMonth(), now.getDate()) - new Date(year, month - 1, day)) / DAY_MS);
  if (days <= 0) return "today";
  return days === 1 ? "yesterday" : `${days} days ago`;
}

/** Show a picture: the thumbnail at once, the whole image in its place when it is there; `shown` is told of the first. */
export function showPicture(card, { machine, shown }) {
  const image = byId("image");
  image.alt = describe(card, { machine });
  byId("picture").className = `picture is-${outcomeOf(card.auto.outcome).name}`;
  delete image.dataset.shown;
  const isStill = () => Number(image.dataset.id) === card.id;
  image.dataset.id = card.id;
  image.onload = () => {
    if (!isStill() || image.dataset.shown) return;
    image.dataset.shown = card.id;
    shown();
    const whole = new Image();
    whole.onload = () => isStill() && Object.assign(image, { onload: null, src: whole.src });
    whole.src = imageAddress(card);
  };
  image.onerror = () => {
    image.alt = `No picture of ${placeText(card)}: its file cannot be shown.`;
  };
  image.src = thumbnailAddress(card);
}

/** What an address must say so that whoever looks without hints goes on without them. */
const hints = (machine) => (machine ? {} : { frames: "off" });

/** Show which drop a card is of, what the machine says, and what people said last. */
export function showAbout(card, { picked, machine }) {
  const when = card.imaged_at ? `imaged ${takenText(card.imaged_at)}, ${ageText(card.imaged_at)}` : "imaging time not known";
  const [newest] = card.people;
  const place = el("h2", {}, el("a", { href: dropAddress(card, hints(machine)), textContent: `${card.well} · drop ${card.drop}` }));
  const plate = el("a", { href: plateAddress(card, { sort: "crystal", ...hints(machine) }), textContent: card.plate, title: "All drops of this plate, the likeliest crystals first" });
  const verdict = el("p", { className: "of-machine" }, autoBadge(card.auto), el("b", { textContent: percent(card.auto.p_crystal) }), " crystal", el("span", { className: "dim", textContent: [` · ${outcomeOf(card.auto.outcome).label}`, crystalsText(card)].filter(Boolean).join(" · ") }));
  const person = newest ? el("p", {}, handBadge(newest), el("span", { textContent: outcomeOf(newest.outcome).label }), el("span", { className: "dim", textContent: ` · ${newest.person}` })) : el("p", { className: "dim", textContent: "nobody has scored it" });
  const facts = el("p", { className: "dim" }, plate, `, inspection ${card.inspection}${card.project ? ` · ${card.project}` : ""} · ${when}${card.again ? " · unsure before" : ""}`);
  byId("about").replaceChildren(place, verdict, person, facts);
  byId("pick").setAttribute("aria-pressed", picked ? "true" : "false");
}

/** Show the same drop at every inspection, with letters. */
export function showCourse(card, siblings, { machine }) {
  const visible = siblings.filter((each) => each.channel === card.channel);
  byId("course").replaceChildren(...visible.map((each) => {
    const { element } = new Tile(each, { address: dropAddress(each, hints(machine)), lazy: false, machine });
    element.classList.toggle("here", each.id === card.id);
    return el("figure", {}, element, el("figcaption", { textContent: `${each.inspection}${each.imaged_at ? ` · ${takenDay(each.imaged_at)}` : ""}` }));
  }));
}
