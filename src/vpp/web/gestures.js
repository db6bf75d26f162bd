// Gestures: what a pointer, a wheel and the keys ask of a chart. Touch scrolls the page up and down, pans sideways.

const DRAG_PX = 5;
const WHEEL_ZOOM = 1.0022;
const KEY_ZOOM = 1.4;

/**
 * Listen on a chart's surface and tell `on`:
 * hover(x or null), select(x), pan(pixels), zoom(factor, x), move(steps), choose(), home().
 */
export function listen(surface, on) {
  const pointers = new Map();
  let dragged = false;

  const at = (event) => event.clientX - surface.getBoundingClientRect().left;
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { distance: Math.max(Math.abs(a - b), 20), middle: (a + b) / 2 };
  };

  surface.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (pointers.size === 0) dragged = false;
    pointers.set(event.pointerId, at(event));
  });
  surface.addEventListener("pointermove", (event) => {
    const x = at(event);
    if (!pointers.has(event.pointerId)) {
      on.hover(x);
      return;
    }
    if (pointers.size === 2) {
      const before = spread();
      pointers.set(event.pointerId, x);
      const after = spread();
      dragged = true;
      on.zoom(before.distance / after.distance, after.middle);
      return;
    }
    const moved = x - pointers.get(event.pointerId);
    if (!dragged && Math.abs(moved) < DRAG_PX) return;
    if (!dragged) surface.setPointerCapture(event.pointerId);
    dragged = true;
    surface.classList.add("panning");
    pointers.set(event.pointerId, x);
    on.hover(null);
    on.pan(moved);
  });
  const lift = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (pointers.size > 0) return;
    surface.classList.remove("panning");
    if (!dragged && event.type === "pointerup") on.select(at(event));
  };
  surface.addEventListener("pointerup", lift);
  surface.addEventListener("pointercancel", lift);
  surface.addEventListener("pointerleave", () => on.hover(null));
  surface.addEventListener(
    "wheel",
    (event) => {
      if (event.ctrlKey || event.metaKey) on.zoom(WHEEL_ZOOM ** event.deltaY, at(event));
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) on.pan(-event.deltaX);
      else return;
      event.preventDefault();
    },
    { passive: false },
  );
  surface.addEventListener("keydown", (event) => {
    const deed = {
      ArrowLeft: () => on.move(event.shiftKey ? -6 : -1),
      ArrowRight: () => on.move(event.shiftKey ? 6 : 1),
      Enter: () => on.choose(),
      " ": () => on.choose(),
      "+": () => on.zoom(1 / KEY_ZOOM, null),
      "=": () => on.zoom(1 / KEY_ZOOM, null),
      "-": () => on.zoom(KEY_ZOOM, null),
      Home: () => on.home(),
    }[event.key];
    if (!deed || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    deed();
  });
}
