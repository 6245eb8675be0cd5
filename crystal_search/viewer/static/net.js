// Asking the server.
import { showConnection } from "./dom.js";

const PATIENCE_MS = 15_000; // after which an answer that does not come counts as none

async function failure(response) {
  let text = `${response.status} ${response.statusText}`;
  try {
    text = (await response.json()).error ?? text;
  } catch {
    // The answer was no JSON; its status has to do.
  }
  return new Error(text);
}

/** Return the JSON value at `address` as it is now, also after going back. */
export async function getJson(address) {
  const response = await fetch(address, { cache: "no-cache", headers: { Accept: "application/json" } });
  if (!response.ok) throw await failure(response);
  return response.json();
}

/** Send a JSON value to `address` and return the answer. */
export async function post(address, value) {
  const response = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(value),
  });
  if (!response.ok) throw await failure(response);
  return response.json();
}

/** Add a score to the ledger and return the image with its scores. */
export const postScore = (score) => post("/api/score", score);

/** Take a score, comment or mark back and return the image with its scores. */
export const postTakingBack = (asked) => post("/api/take-back", asked);

/** Add a comment and return the image with its scores. */
export const postComment = (comment) => post("/api/comment", comment);

/** Note which plates a person has seen, or that they looked through Today. */
export const postSeen = (looking) => post("/api/seen", looking);

/** Add a mark and return the image with its scores. */
export const postMark = (mark) => post("/api/mark", mark);

/** Do the import whose plan was seen, and return what was done. */
export const postImport = (made_at) => post("/api/import", { made_at });

/** Sign in with name and password. */
export const postSignIn = (told) => post("/api/sign-in", told);

/** Sign out. */
export const postSignOut = () => post("/api/sign-out", {});

/**
 * Ask for `address()` again and again and hand over each value that is new.
 * Rests while the page is hidden; while no good answer comes, the page says that what it shows may be old.
 */
export function poll(address, { every, changed }) {
  let tag = null;
  let asked = null;

  /** Return the news, or null when there are none. */
  async function news(now) {
    const response = await fetch(now, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (response.status === 304) return null;
    if (!response.ok) throw await failure(response);
    const value = await response.json();
    if (now !== address()) return null;
    tag = response.headers.get("ETag");
    return value;
  }

  async function ask() {
    const now = address();
    if (now !== asked) [asked, tag] = [now, null];
    let value;
    try {
      value = await news(now);
    } catch (error) {
      // fetch says TypeError when nobody answers; other texts come from the server.
      showConnection(error instanceof TypeError || error instanceof DOMException ? "the viewer does not answer" : error.message);
      return;
    }
    showConnection(null);
    if (value !== null) changed(value);
  }

  let timer = null;
  async function turn() {
    try {
      if (!document.hidden) await ask();
    } finally {
      clearTimeout(timer);
      timer = setTimeout(turn, every);
    }
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
export const boardAddress = (board) => `/api/plate/${encodeURIComponent(board.plate)}?${query({ inspection: board.inspection, channel: board.channel, recipe: board.recipe })}`;

/** Return the address of a plate's page, its view kept. */
export function plateAddress(board, view) {
  const parameters = new URLSearchParams(view);
  if (board.inspection !== undefined && board.inspection !== null) parameters.set("inspection", board.inspection);
  if (board.channel && board.channel !== "visible") parameters.set("channel", board.channel);
  const text = parameters.toString();
  return `/plate/${encodeURIComponent(board.plate)}${text ? `?${text}` : ""}`;
}

/** Return where the best new drops are asked for; those of `days`, or since a person looked last. */
export const todayAddress = (wanted) => `/api/today?${query(wanted)}`;

/** Return the address of a drop's page, the plate's view kept. */
export function dropAddress(drop, view) {
  const text = new URLSearchParams(view).toString();
  return `/drop/${drop.id}${text ? `?${text}` : ""}`;
}
