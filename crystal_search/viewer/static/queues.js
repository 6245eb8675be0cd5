// A list that is being made: it is asked for again until it is there, and then takes the place of the older one.
const AGAIN_MS = 5000;

/** Put the newer list in place, if it is there; resolves to whether it is. */
async function taken() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  const found = response.ok && new DOMParser().parseFromString(await response.text(), "text/html").querySelector("main");
  if (!found || found.dataset.waits) return false;
  const focused = document.activeElement?.getAttribute("href");
  document.querySelector("main").replaceWith(found);
  if (focused) found.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  return true;
}

async function again() {
  const done = await taken().catch(() => false); // a server that does not answer is asked again, too
  if (!done) setTimeout(again, AGAIN_MS);
}

if (document.querySelector("main[data-waits]")) setTimeout(again, AGAIN_MS);
