// Gestures on a picture: drag selects, the wheel with Ctrl zooms, two fingers zoom, one finger scrolls the page, a long press selects.

// gesture joins a picture with what can be done: at() is the range; zoom, select, shift and preview do.
export function gesture(pic, act) {
  const box = pic.stack;
  let from = null, press = 0, fingers = new Map(), pinch = 0;
  const x = (e) => e.clientX - box.getBoundingClientRect().left;
  const time = (e) => Math.min(act.at().to, Math.max(act.at().from, pic.frame().t(x(e))));
  const start = (e) => { from = { t: time(e), x: x(e), moved: false }; };

  box.addEventListener("pointerdown", (e) => {
    if (e.target.closest("summary, details, button") || (e.pointerType === "mouse" && e.button)) return;
    fingers.set(e.pointerId, x(e));
    if (e.pointerType === "touch") {
      clearTimeout(press);
      from = null;
      if (fingers.size === 2) pinch = spread();
      else press = setTimeout(() => start(e), 450);
      return;
    }
    start(e);
    box.setPointerCapture(e.pointerId);
  });
  box.addEventListener("pointermove", (e) => {
    if (!fingers.has(e.pointerId)) return;
    if (e.pointerType === "touch" && !from && Math.abs(x(e) - fingers.get(e.pointerId)) > 8) clearTimeout(press);
    fingers.set(e.pointerId, x(e));
    if (fingers.size === 2 && pinch > 0) {
      const now = Math.max(10, spread());
      act.zoom(pinch / now, pic.frame().t(middle()), true);
      pinch = now;
      return;
    }
    if (!from) return;
    from.moved ||= Math.abs(x(e) - from.x) > 4;
    if (from.moved) act.preview(ordered(from.t, time(e)));
  });
  const end = (e) => {
    clearTimeout(press);
    fingers.delete(e.pointerId);
    if (fingers.size < 2) pinch = 0;
    if (!from || e.type === "pointercancel") { from = null; return; }
    const to = time(e), moved = from.moved, began = from.t;
    from = null;
    if (moved) { act.select(ordered(began, to)); return; }
    const bar = pic.lanes.view.contains(e.target) || insideOf(pic.lanes.view, e) ? pic.lanes.hit(e) : null;
    if (bar) pic.lanes.open(bar);
  };
  box.addEventListener("pointerup", end);
  box.addEventListener("pointercancel", end);
  box.addEventListener("wheel", (e) => {
    if (e.ctrlKey || e.metaKey) {
      e.preventDefault();
      act.zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 150), pic.frame().t(x(e)), true);
    } else if (Math.abs(e.deltaX) > Math.abs(e.deltaY) || e.shiftKey) {
      e.preventDefault();
      const f = pic.frame();
      act.shift((e.deltaX || e.deltaY) / f.width * (f.to - f.from), true);
    }
  }, { passive: false });
  box.addEventListener("touchmove", (e) => { if (from || e.touches.length > 1) e.preventDefault(); }, { passive: false });

  const spread = () => { const [a, b] = [...fingers.values()]; return Math.abs(a - b); };
  const middle = () => { const [a, b] = [...fingers.values()]; return (a + b) / 2; };
}

const ordered = (a, b) => (a < b ? [a, b] : [b, a]);

function insideOf(view, e) {
  const r = view.getBoundingClientRect();
  return e.clientX >= r.left && e.clientX <= r.right && e.clientY >= r.top && e.clientY <= r.bottom;
}
