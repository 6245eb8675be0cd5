// Making elements; nothing here parses HTML, so no text from the database can become markup.

/** Return a new element. Keys of `properties` are properties, or attributes when they hold a dash or are "role". */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key.includes("-") || key === "role") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Return a new SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

/** The data that came with the page. */
export const pageData = () => JSON.parse(byId("data").textContent);

/** Mark a button as pressed or not. */
export function press(button, pressed) {
  button.setAttribute("aria-pressed", pressed ? "true" : "false");
}

/** Tell whether a key press belongs to a field or a dialog and not to the page. */
export function isTyping(event) {
  const target = event.target;
  return Boolean(
    event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") ||
    target.closest?.("select, textarea, input:not([type=checkbox])"),
  );
}

/** Show a short message; an error stays longer. */
export function say(text, { error = false } = {}) {
  const message = el("div", { className: error ? "message error" : "message", textContent: text });
  byId("messages").replaceChildren(message);
  setTimeout(() => message.remove(), error ? 8000 : 3200);
}

/** Show that scores are no longer up to date, and why; with null that they are. */
export function showConnection(trouble) {
  const notice = byId("connection");
  const text = trouble === null ? "" : `Not connected: ${trouble}. What you see may be old.`;
  notice.hidden = trouble === null;
  if (notice.textContent !== text) notice.textContent = text;
}
