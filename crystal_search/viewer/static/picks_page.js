// The list of ticked drops: what somebody says of plates and amounts goes into the addresses of its files.
import { byId, el, pageData } from "./dom.js";
import { dropPick, picksAddress } from "./picks.js";

const OPTIONS = "crystal-search pick options";
const { ids, plates, formats } = pageData();
const fields = [...document.querySelectorAll("#options [name]")];

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(OPTIONS)) ?? {};
  } catch {
    return {};
  }
}

function given() {
  return Object.fromEntries(fields.map((field) => [field.name, field.value.trim()]).filter(([, value]) => value));
}

function fileAddress(name, list, options) {
  return `/picks/${name}.csv?${new URLSearchParams({ ids: list.join(","), ...options })}`;
}

function show() {
  const options = given();
  for (const { name, title, needs, one_plate: onePlate } of formats) {
    const item = byId(`format-${name}`);
    const lacking = needs.filter((need) => !options[need]).map((need) => byId(`option-${need}`).dataset.title);
    const lists = onePlate ? plates : [{ plate: "", ids }];
    const links = lists.map((each) => el("a", {
      className: "button", textContent: each.plate && plates.length > 1 ? `${title}, ${each.plate}` : title, href: fileAddress(name, each.ids, options),
    }));
    item.querySelector(".links").replaceChildren(...(lacking.length ? [el("b", { textContent: title })] : links));
    item.querySelector(".lacks").textContent = lacking.length ? `Say first: ${lacking.join(", ")}.` : "";
  }
}

for (const field of fields) {
  field.value = remembered()[field.name] ?? "";
  field.addEventListener("input", () => {
    localStorage.setItem(OPTIONS, JSON.stringify(given()));
    show();
  });
}
for (const button of document.querySelectorAll("button[data-id]")) {
  button.addEventListener("click", () => {
    const rest = ids.filter((id) => id !== Number(button.dataset.id));
    dropPick(Number(button.dataset.id));
    location.href = rest.length ? picksAddress(rest) : "/plates";
  });
}
show();
document.body.dataset.ready = "yes";
