// Asking the server.

async function failure(response) {
  let text = `${response.status} ${response.statusText}`;
  try {
    text = (await response.json()).error ?? text;
  } catch {
    // The answer was no JSON; its status has to do.
  }
  return new Error(text);
}

/** Return the JSON value at `address`. */
export async function getJson(address) {
  const response = await fetch(address, { headers: { Accept: "application/json" } });
  if (!response.ok) throw await failure(response);
  return response.json();
}

/** Add a score to the ledger and return the image with its scores. */
export async function postScore(score) {
  const response = await fetch("/api/score", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(score),
  });
  if (!response.ok) throw await failure(response);
  return response.json();
}

/**
 * Ask for `address()` again and again and hand over each value that is new.
 * Rests while the page is hidden; `lost(true)` when the server is gone, `lost(false)` when it is back.
 */
export function poll(address, { every, changed, lost = () => {} }) {
  let tag = null;
  let asked = null;
  let away = false;

  async function ask() {
    const now = address();
    if (now !== asked) [asked, tag] = [now, null];
    try {
      const response = await fetch(now, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      if (away) lost((away = false));
      if (response.status === 200 && now === address()) {
        tag = response.headers.get("ETag");
        changed(await response.json());
      }
    } catch {
      if (!away) lost((away = true));
    }
  }

  let timer = null;
  async function turn() {
    if (!document.hidden) await ask();
    timer = setTimeout(turn, every);
  }
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      clearTimeout(timer);
      turn();
    }
  });
  timer = setTimeout(turn, every);
}

const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""));

export const thumbnailAddress = (drop) => `/thumbnail/${drop.id}?v=${drop.version}`;
export const imageAddress = (drop) => `/image/${drop.id}?v=${drop.version}`;
export const boardAddress = (board) => `/api/plate/${encodeURIComponent(board.plate)}?${query({ inspection: board.inspection, channel: board.channel })}`;

/** Return the address of a plate's page, its view kept. */
export function plateAddress(board, view) {
  const parameters = new URLSearchParams(view);
  if (board.inspection !== undefined && board.inspection !== null) parameters.set("inspection", board.inspection);
  if (board.channel && board.channel !== "visible") parameters.set("channel", board.channel);
  const text = parameters.toString();
  return `/plate/${encodeURIComponent(board.plate)}${text ? `?${text}` : ""}`;
}

/** Return the address of a drop's page, the plate's view kept. */
export function dropAddress(drop, view) {
  const text = new URLSearchParams(view).toString();
  return `/drop/${drop.id}${text ? `?${text}` : ""}`;
}
