// Gestures on a picture: drag selects, the wheel with Ctrl zooms; one finger sideways pans, two fingers zoom and pan, a long press and a drag select, a tap opens.

const slop = 8, long = 450; // pixels that a finger may stray; milliseconds of a long press

// gesture joins a picture with what can be done: at() is the range; zoom, select, shift and preview do.
export function gesture(pic, act) {
  const box = pic.stack, fingers = new Map();
  let from = null, press = 0, tap = null, pinch = null, panned = false;
  const x = (e) => e.clientX - box.getBoundingClientRect().left;
  const time = (e) => Math.min(act.at().to, Math.max(act.at().from, pic.frame().t(x(e))));
  const start = (e) => { from = { t: time(e), x: x(e), moved: false }; };
  const spread = () => { const [a, b] = [...fingers.values()]; return Math.max(10, Math.abs(a - b)); };
  const middle = () => { const [a, b] = [...fingers.values()]; return (a + b) / 2; };
  // pan shows what is so many pixels to the right. A gesture is one step of the history: its first move.
  const pan = (pixels) => { const f = pic.frame(); act.shift(pixels / f.width * (f.to - f.from), panned); panned = true; };

  function down(e) {
    clearTimeout(press);
    from = tap = pinch = null;
    if (fingers.size === 2) pinch = { wide: spread(), at: middle() };
    else {
      panned = false;
      tap = { x: x(e), y: e.clientY };
      press = setTimeout(() => { tap = null; start(e); act.preview([time(e), time(e)]); }, long);
    }
  }
  function move(e, before) {
    if (pinch && fingers.size === 2) {
      const now = spread(), at = middle();
      act.zoom(pinch.wide / now, pic.frame().t(at), panned);
      panned = true;
      pan(pinch.at - at);
      pinch = { wide: now, at };
      return;
    }
    if (from || pinch) return;
    if (tap && Math.abs(x(e) - tap.x) <= slop && Math.abs(e.clientY - tap.y) <= slop) return;
    clearTimeout(press);
    tap = null;
    pan(before - x(e));
  }

  box.addEventListener("pointerdown", (e) => {
    if (e.target.closest("summary, details, button") || (e.pointerType === "mouse" && e.button)) return;
    fingers.set(e.pointerId, x(e));
    box.setPointerCapture(e.pointerId);
    if (e.pointerType === "touch") down(e);
    else start(e);
  });
  box.addEventListener("pointermove", (e) => {
    if (!fingers.has(e.pointerId)) return;
    const before = fingers.get(e.pointerId);
    fingers.set(e.pointerId, x(e));
    if (e.pointerType === "touch") move(e, before);
    if (!from) return;
    from.moved ||= Math.abs(x(e) - from.x) > 4;
    if (from.moved) act.preview(ordered(from.t, time(e)));
  });
  const end = (e) => {
    clearTimeout(press);
    fingers.delete(e.pointerId);
    if (fingers.size < 2 && pinch) { pinch = null; fingers.clear(); }
    const drawn = from, touched = tap;
    from = tap = null;
    if (e.type === "pointercancel") return;
    if (drawn && drawn.moved) { act.select(ordered(drawn.t, time(e))); return; }
    if (e.pointerType === "touch" && !touched) { if (drawn) act.preview(null); return; }
    const bar = insideOf(pic.lanes.view, e) ? pic.lanes.hit(e) : null;
    if ((drawn || touched) && bar) pic.lanes.open(bar);
  };
  box.addEventListener("pointerup", end);
  box.addEventListener("pointercancel", end);
  box.addEventListener("contextmenu", (e) => { if (fingers.size) e.preventDefault(); }); // of a long press
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
}

const ordered = (a, b) => (a < b ? [a, b] : [b, a]);

function insideOf(view, e) {
  const r = view.getBoundingClientRect();
  return e.clientX >= r.left && e.clientX <= r.right && e.clientY >= r.top && e.clientY <= r.bottom;
}
