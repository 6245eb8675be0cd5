"use strict";
// What every page shares on which people say what an image shows: classes, their keys, badges and buttons.
const given = JSON.parse(document.getElementById("data").textContent);
const { classes } = given;
const byName = new Map(classes.map((each) => [each.name, each]));
const $ = (name) => document.getElementById(name);

/** Return a new element with properties and children; text is text, never HTML. */
function el(kind, properties = {}, ...children) {
  const element = Object.assign(document.createElement(kind), properties);
  element.append(...children);
  return element;
}

function badge(name) {
  const found = byName.get(name) ?? { letter: "?", frame: "#8c8c8c" };
  const element = el("span", { className: found.frame === "#ffffff" || found.frame === "#8c8c8c" ? "badge light" : "badge", textContent: found.letter });
  element.style.setProperty("--frame", found.frame);
  return element;
}

const labelOf = (name) => byName.get(name)?.label ?? name.replaceAll("_", " ");
/** Return the class that a key press means: the character on its button, wherever the keyboard has it, or Shift and a letter. */
function classOfKey(event) {
  if (event.shiftKey && /^[A-Z]$/.test(event.key)) return classes.find((each) => each.letter === event.key);
  return classes.find((each) => each.key === event.key);
}

/** Fill the list of classes with a button each; a press calls `choose` with its name. */
function makeClasses(choose) {
  for (const each of classes) {
    const button = el("button", { type: "button" }, el("kbd", { textContent: each.key }), badge(each.name), el("span", { textContent: each.label }));
    button.dataset.name = each.name;
    button.addEventListener("click", () => choose(each.name));
    $("classes").append(button);
  }
}
