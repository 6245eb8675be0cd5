// Marking, and taking marks and comments back: what goes to the server, and what is said of it.
import { say } from "./dom.js";
import { askPerson, person } from "./hand.js";
import { MARK_LABELS } from "./marks.js";
import { postMark, postTakingBack } from "./net.js";
import { favouritesOf, placeText } from "./words.js";

/** Do something that writes; resolves to the image as it is then, or to null when nothing was done. */
async function written(failed, done, write) {
  const name = person() || (await askPerson());
  if (!name) return null;
  try {
    const answer = await write(name);
    say(done);
    return answer;
  } catch (error) {
    say(`${failed}: ${error.message}`, { error: true });
    return null;
  }
}

/** Mark a place in an image, or for null the whole of it. */
export function giveMark(drop, kind, place = null) {
  const mark = place ? { kind, place } : { kind };
  return written("Nothing was marked", `${placeText(drop)}: ${MARK_LABELS[kind]}`, (name) => postMark({ image_id: drop.id, person: name, ...mark }));
}

export function takeMarkBack(drop, mark) {
  const done = `${placeText(drop)}: ${MARK_LABELS[mark.kind]} is taken back.`;
  return written("Nothing was taken back", done, (name) => postTakingBack({ image_id: drop.id, mark_id: mark.id, person: name }));
}

export function takeCommentBack(drop, comment) {
  return written("Nothing was taken back", `${placeText(drop)}: the comment is taken back.`, (name) => postTakingBack({ image_id: drop.id, comment_id: comment.id, person: name }));
}

/** Make a drop one's favourite, or no longer. */
export function toggleFavourite(drop) {
  const own = favouritesOf(drop).find((mark) => mark.person === person());
  return own ? takeMarkBack(drop, own) : giveMark(drop, "favourite");
}
