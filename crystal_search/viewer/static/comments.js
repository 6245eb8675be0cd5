// Comments on the drop page: what people wrote, and the field for another one, whose text is never lost.
import { byId, el, say } from "./dom.js";
import { askPerson, person } from "./hand.js";
import { whose } from "./marks.js";
import { postComment } from "./net.js";
import { momentText, placeText } from "./words.js";

const DRAFT = "crystal-search comment of image";
const draftKey = (id) => `${DRAFT} ${id}`;

/** Show what people wrote, the newest first; one's own can be taken back, if it did not come with a score. */
export function showComments(element, comments, takeBack) {
  element.replaceChildren(...[...comments].reverse().map((comment) => {
    const text = el("span", { className: "text", textContent: comment.text });
    if (comment.taken_back_at) return el("li", { className: "taken-back" }, text, el("span", { className: "who", textContent: `${comment.person} · taken back ${momentText(comment.taken_back_at)}` }));
    return el("li", {}, text, whose(comment.person, comment.written_at, comment.id ? () => takeBack(comment) : null));
  }));
}

/** The field for a comment on the drop in sight. What is in it is kept in this browser until the ledger has it. */
export class CommentField {
  /** `added` gets the image with all that people said of it. */
  constructor(added) {
    this.field = byId("comment");
    this.added = added;
    this.drop = null;
    this.field.addEventListener("input", () => this.keep());
    this.field.addEventListener("keydown", (event) => event.key === "Escape" && this.field.blur());
    byId("comment-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.field.blur();
      this.send();
    });
  }

  /** Be about another drop; what was written about it before, and not added, is there again. */
  show(drop) {
    if (this.drop?.id !== drop.id) this.field.value = localStorage.getItem(draftKey(drop.id)) ?? "";
    this.drop = drop;
  }

  keep() {
    if (this.field.value.trim()) localStorage.setItem(draftKey(this.drop.id), this.field.value);
    else localStorage.removeItem(draftKey(this.drop.id));
  }

  get waits() {
    return Boolean(this.drop && this.field.value.trim());
  }

  /** Add what is in the field; resolves when that is done, or failed, after which it is still in the field. */
  async send() {
    const { drop } = this;
    const text = this.field.value.trim();
    const name = this.waits && (person() || (await askPerson()));
    if (!name) return;
    try {
      const answer = await postComment({ image_id: drop.id, person: name, text });
      localStorage.removeItem(draftKey(drop.id));
      if (this.drop.id === drop.id && this.field.value.trim() === text) this.field.value = "";
      say(`${placeText(drop)}: the comment is added.`);
      this.added(answer);
    } catch (error) {
      say(`The comment was not added, this browser keeps it: ${error.message}`, { error: true });
    }
  }
}
