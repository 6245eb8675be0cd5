// What pointers do on a stage: a drag, a pinch of two fingers, the wheel. Points are of the stage, in CSS pixels.
const TAP_PX = 5; // who moves less only touches

/**
 * Tell `on` what pointers do.
 *
 * `begin(point)`, `drag(point, by, from)`, `end(point, from)` and `cancel()` are of one pointer; `from` says where it
 * began, whether it is a finger, and whether it moved. `zoom(factor, point)` and `shift(by)` are of the wheel or two.
 */
export function listen(stage, on) {
  const pointers = new Map();
  let from = null;

  function pointOf(event) {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  function pinch(before, now, other) {
    const distance = (one) => Math.hypot(one.x - other.x, one.y - other.y);
    const middle = (one) => ({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });
    const [old, next] = [middle(before), middle(now)];
    on.shift({ x: next.x - old.x, y: next.y - old.y });
    if (distance(before) > 0) on.zoom(distance(now) / distance(before), next);
  }

  function over(event, how) {
    if (!pointers.delete(event.pointerId)) return;
    const began = from;
    if (!pointers.size) stage.classList.remove("dragging");
    from = null;
    if (began) how(pointOf(event), began);
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointers.size === 2 || event.target.closest("button, a, .navigator")) return;
    stage.setPointerCapture(event.pointerId);
    stage.classList.add("dragging");
    const point = pointOf(event);
    if (from) on.cancel();
    from = pointers.size ? null : { ...point, touch: event.pointerType === "touch", moved: false };
    pointers.set(event.pointerId, point);
    if (from) on.begin(point);
  });
  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = pointOf(event);
    pointers.set(event.pointerId, now);
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    if (other) pinch(before, now, other);
    else if (from) {
      from.moved ||= Math.hypot(now.x - from.x, now.y - from.y) > TAP_PX;
      if (from.moved) on.drag(now, { x: now.x - before.x, y: now.y - before.y }, from);
    }
  });
  stage.addEventListener("pointerup", (event) => over(event, on.end));
  stage.addEventListener("pointercancel", (event) => over(event, () => on.cancel()));
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    on.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), pointOf(event));
  }, { passive: false });
}
