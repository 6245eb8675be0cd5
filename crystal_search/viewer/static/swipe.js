// Swipes: a finger that goes far enough one way. A second finger is for pinching, and no swipe.
const FAR_PX = 60; // from which a movement counts
const STRAIGHT = 1.5; // so much farther along than across

/** Return where a movement leads: "left", "right", "up", or "" for none. */
export function directionOf(dx, dy) {
  if (Math.abs(dx) >= FAR_PX && Math.abs(dx) > STRAIGHT * Math.abs(dy)) return dx < 0 ? "left" : "right";
  return dy <= -FAR_PX && -dy > STRAIGHT * Math.abs(dx) ? "up" : "";
}

/** Call one of `acts` for a swipe over `element`, whose data attribute `swipe` tells meanwhile where it leads. */
export function setUpSwipes(element, acts) {
  const down = new Map(); // pointer -> where it came down
  let many = false; // whether a second finger was there

  const end = () => {
    element.style.removeProperty("--swiped");
    delete element.dataset.swipe;
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") return;
    if (!down.size) many = false;
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    many ||= down.size > 1;
    if (many) end();
  });
  element.addEventListener("pointermove", (event) => {
    const from = down.get(event.pointerId);
    if (!from || many) return;
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    element.style.setProperty("--swiped", `${dx}px`);
    element.dataset.swipe = directionOf(dx, dy);
  });
  element.addEventListener("pointerup", (event) => {
    const from = down.get(event.pointerId);
    down.delete(event.pointerId);
    end();
    const way = from && !many ? directionOf(event.clientX - from.x, event.clientY - from.y) : "";
    if (way) acts[way]();
  });
  // Else Chromium takes a swipe for the start of a scroll, and swallows the tap that comes next.
  element.addEventListener("touchmove", (event) => event.touches.length === 1 && event.preventDefault(), { passive: false });
  element.addEventListener("pointercancel", (event) => {
    down.delete(event.pointerId);
    end();
  });
}
