// The overview: all that is recorded as one strip, and a frame around what is shown, which can be dragged and made wider.

import { el } from "./dom.js";
import { ask } from "./api.js";
import { color, drawAxis, frameOf, hatch, prepare } from "./frame.js";
import { silent } from "./holes.js";
import { time, zone } from "./format.js";

const high = 34, grip = 24, most = 600; // pixels of the strip and of a grip; cells
const far = 400 * 86400; // seconds that hours are kept at most

// overview makes the strip. show(from, to, goesOn) is called with what is to be shown; goesOn is false for the first move of a gesture.
export function overview(show) {
  const canvas = el("canvas", { role: "img", "aria-label": "All that is recorded" }), axis = el("canvas", { "aria-hidden": "true" });
  const part = (cls, name) => el("div", { class: cls, role: "slider", tabindex: "0", "aria-label": name });
  const left = part("grip", "Start of what is shown"), frame = part("window", "What is shown, of all that is recorded"), right = part("grip", "End of what is shown");
  const root = el("div", { class: "overview unread" }, canvas, axis, frame, left, right);
  const o = { root, from: 0, to: 0, cells: [], holes: [], cell: 1 };
  let at = null, axes = null, painted = "", reads = 0;
  o.read = async (host) => {
    const whole = await readWhole(host);
    root.classList.toggle("unread", !whole); // its place is kept: what is below must not move under a finger
    if (whole) Object.assign(o, whole);
    reads++;
  };
  // draw shows which part of it a range is.
  o.draw = (range) => {
    at = range;
    if (!o.to) return;
    const to = Math.max(o.to, range.live ? range.to : 0);
    axes = frameOf(root, Math.min(o.from, to - 1), to);
    const made = [reads, axes.from, axes.to, axes.width, devicePixelRatio, color("cpu1"), zone()].join();
    if (made !== painted) { // a gesture moves the frame alone
      painted = made;
      paint(canvas, o, axes);
      drawAxis(axis, axes);
    }
    const edge = (t) => Math.min(axes.left + axes.width, Math.max(axes.left, axes.x(t))), x = edge(range.from), end = Math.max(x + 4, edge(range.to));
    place(left, x - grip, grip);
    place(frame, x, end - x);
    place(right, end, grip);
    told(left, range.from, time(range.from));
    told(right, range.to, time(range.to));
    told(frame, (range.from + range.to) / 2, time(range.from) + " to " + time(range.to));
  };
  const told = (e, v, text) => {
    for (const [k, n] of [["min", axes.from], ["max", axes.to], ["now", v]]) e.setAttribute("aria-value" + k, String(Math.round(Math.min(axes.to, Math.max(axes.from, n)))));
    e.setAttribute("aria-valuetext", text);
  };
  const shift = (of, by) => (of === left ? [Math.min(at.from + by, at.to - 1), at.to] : of === right ? [at.from, Math.max(at.to + by, at.from + 1)] : [at.from + by, at.to + by]);
  drag(root, () => axes, (e) => [left, frame, right].find((p) => p === e.target), () => at, show);
  root.addEventListener("keydown", (e) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[e.key];
    if (!by || !at || e.ctrlKey || e.metaKey || e.altKey || e.shiftKey) return;
    e.preventDefault();
    show(...shift(e.target, by * (axes.to - axes.from) / 100), true);
  });
  return o;
}

function place(e, x, width) { Object.assign(e.style, { left: x + "px", width: width + "px" }); }

// drag moves the frame or one of its edges; elsewhere it draws a new frame, and a press brings the frame there.
function drag(root, axes, partOf, at, show) {
  let of = null;
  const t = (e) => { const f = axes(); return Math.min(f.to, Math.max(f.from, f.t(e.clientX - root.getBoundingClientRect().left))); };
  root.addEventListener("pointerdown", (e) => {
    if ((e.pointerType === "mouse" && e.button) || !axes()) return;
    of = { part: partOf(e), t: t(e), x: e.clientX, at: at(), moved: false };
    root.setPointerCapture(e.pointerId);
  });
  root.addEventListener("pointermove", (e) => {
    if (!of || (!of.moved && Math.abs(e.clientX - of.x) < 3)) return;
    const now = t(e), by = now - of.t, { from, to } = of.at, name = of.part && of.part.className;
    const goal = name === "window" ? [from + by, to + by] : name === "grip" ? (of.part.nextSibling ? [from + by, to] : [from, to + by]) : [of.t, now];
    show(Math.min(...goal), Math.max(...goal), of.moved);
    of.moved = true;
  });
  root.addEventListener("pointerup", () => {
    if (of && !of.moved && !of.part) { const half = (of.at.to - of.at.from) / 2; show(of.t - half, of.t + half, false); }
    of = null;
  });
  root.addEventListener("pointercancel", () => (of = null));
}

// readWhole finds when the record begins and ends, and reads it in few cells: of hours first, then closer, until it fills the strip.
async function readWhole(host) {
  const hosts = (await ask("hosts")).items.filter((h) => !host || h.host === host);
  const to = Math.max(...hosts.map((h) => h.last_time)) + 1;
  if (!(to > 1)) return null;
  let from = to - far, series = null;
  for (let i = 0; i < 6; i++) {
    const s = await ask("series", { since: from, until: to, host, most });
    const first = Math.min(...s.hosts.flatMap((h) => h.points.map((p) => p.timestamp)));
    if (first === Infinity) { // what is new has no minutes yet
      if (to - from <= most) break;
      from = to - most;
      continue;
    }
    series = { of: s, from: Math.max(first, from) };
    if (first - from < (to - from) / 3) break;
    from = series.from;
  }
  if (!series) return null;
  const sums = new Map();
  for (const h of series.of.hosts) for (const p of h.points) {
    const c = sums.get(p.timestamp) || { t: p.timestamp, cpu: null, deaths: 0 };
    if (p.cpu_cores != null) c.cpu += p.cpu_cores;
    c.deaths += p.deaths;
    sums.set(c.t, c);
  }
  const range = { from: series.from, to };
  return { ...range, cell: series.of.cell_seconds, cells: [...sums.values()].sort((a, b) => a.t - b.t), holes: silent(series.of, range) };
}

function paint(canvas, o, frame) {
  const g = prepare(canvas, frame.left + frame.width + 8, high);
  const top = Math.max(1e-9, ...o.cells.map((c) => c.cpu || 0)), w = Math.max(1, o.cell / (frame.to - frame.from) * frame.width);
  g.fillStyle = color("faint");
  g.textAlign = "left";
  if (frame.left) g.fillText("All, CPU", 4, high / 2);
  g.fillStyle = color("cpu1");
  for (const c of o.cells) if (c.cpu != null) { const h = Math.max(1, (high - 8) * c.cpu / top); g.fillRect(frame.x(c.t), high - h, w, h); }
  hatch(g, frame, o.holes, high);
  g.fillStyle = color("failed");
  for (const c of o.cells) if (c.deaths) g.fillRect(frame.x(c.t), 0, Math.max(2, w), 6);
  g.fillStyle = color("line");
  g.fillRect(frame.left, high - 1, frame.width, 1);
  canvas.setAttribute("aria-label", `All that is recorded: ${time(o.from)} to ${time(o.to)}`);
}
