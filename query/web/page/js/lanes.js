// Lanes: what ran, as bars from birth to death. The canvas is as large as what is seen, and draws the rows that are.

import { el, safe, say } from "./dom.js";
import { color, grid, hatch, prepare } from "./frame.js";
import { moment, program, signal, size, span } from "./format.js";
import { href, param } from "./url.js";

const band = 16; // pixels of a group's title
const classes = { "": [5, 25, 50, 90], mem: [16, 128, 1024, 4096] }; // percent of a core; MiB of the largest sample

// legend says what the colours mean.
export function legend() {
  const of = classes[byMemory() ? "mem" : ""];
  const words = byMemory() ? of.map((v) => "< " + size(v)).concat("more") : of.map((v) => `< ${v} %`).concat("more");
  return el("p", { class: "legend" }, byMemory() ? "Colour: the most memory that it had" : "Colour: how much of a core it used", words.map((w, i) => el("span", {}, el("i", { class: "key k" + i, "aria-hidden": "true" }), w)),
    el("span", {}, el("i", { class: "key ku", "aria-hidden": "true" }), "not known, as of most that still live"));
}

const byMemory = () => param("c") === "mem";

// lanes makes lanes; open(bar) is called for a bar that is opened.
export function lanes(open, most = 300) {
  const canvas = el("canvas", { "aria-hidden": "true" }), spacer = el("div", { class: "spacer" }, canvas);
  const tip = el("div", { class: "tip", hidden: true });
  const view = el("div", { class: "lanes", role: "application", tabindex: "0", "aria-label": "Lanes" }, spacer);
  const table = el("details", { class: "astable" }, el("summary", {}, "Bars as a table"));
  const l = { root: el("div", { class: "lanesbox" }, view, tip, table), view, data: null, rows: [], focus: null, frame: null, holes: [] };
  table.addEventListener("toggle", () => table.open && asTable(table, l));
  const redraw = () => l.frame && paint(l, canvas, view);
  view.addEventListener("scroll", redraw, { passive: true });
  view.addEventListener("pointermove", (e) => hover(l, canvas, tip, e));
  view.addEventListener("pointerleave", () => (tip.hidden = true));
  l.hit = (e) => hit(l, canvas, e);
  l.open = open;
  l.draw = (frame, data, holes) => {
    if (data !== l.data) layOut(l, data);
    Object.assign(l, { frame, holes });
    const seen = Math.min(most, l.height, Math.max(140, innerHeight - 600)); // what is below had better be seen too
    view.style.height = seen + "px";
    spacer.style.height = l.height + "px";
    paint(l, canvas, view);
    view.setAttribute("aria-label", safe(`Lanes: ${data.bars.length} processes as bars, ${l.deaths.length} of them ended badly. Arrow up and down go from bar to bar, [ and ] from death to death, Enter opens.`));
    if (table.open) asTable(table, l);
  };
  l.redraw = redraw;
  l.recolor = () => { for (const b of l.data ? l.data.bars : []) b.class = classOf(b); redraw(); };
  l.step = (by, deathsOnly) => move(l, view, by, deathsOnly);
  return l;
}

// linkOf is where a bar leads: to the story of a process, or to a run.
export function linkOf(b) {
  return b.pid ? href("/process", { host: b.host, pid: b.pid, start: b.start_ticks }) : href("/job", { name: b.job_id, host: b.host, run: b.run });
}

// badly says how a process ended: "" for well, "killed", "failed" or "oom".
export function badly(b) {
  if (b.oom) return "oom";
  if (b.signal_num != null) return "killed";
  return b.exit_code ? "failed" : "";
}

function classOf(b) {
  const life = (b.end ?? b.until) - b.start, mem = byMemory();
  const used = mem ? b.peak_rss_mb : b.cpu_seconds == null || !(life > 0) ? null : 100 * b.cpu_seconds / life;
  if (used == null) return -1;
  const of = classes[mem ? "mem" : ""], i = of.findIndex((c) => used < c);
  return i < 0 ? of.length : i;
}

// layOut gives each row its place.
function layOut(l, data) {
  const total = data.groups.reduce((n, g) => n + g.rows, 0);
  const row = total <= 160 ? 16 : data.bars.length < 1500 ? 9 : 5;
  let y = 0;
  const hosts = new Set(data.groups.map((g) => g.host)).size;
  l.groups = data.groups.map((g) => {
    const at = { y, name: nameOf(g, hosts > 1), cells: [], below: y + band };
    y += band + g.rows * row;
    return at;
  });
  for (const c of data.cells || []) l.groups[c.group].cells.push(c);
  l.rows = new Map();
  data.bars.forEach((b) => {
    b.y = l.groups[b.group].below + b.row * row;
    b.class = classOf(b);
    if (!l.rows.has(b.y)) l.rows.set(b.y, []);
    l.rows.get(b.y).push(b);
  });
  for (const r of l.rows.values()) r.sort((a, b) => a.start - b.start);
  l.deaths = data.bars.filter(badly).sort((a, b) => a.end - b.end);
  Object.assign(l, { data, row, height: Math.max(40, y + 4) });
  if (l.focus) l.focus = data.bars.find((b) => b.pid === l.focus.pid && b.start === l.focus.start) || null;
}

function nameOf(g, many) {
  if (g.runs) return "runs of " + g.job_id;
  const of = g.job_id ? (g.sheet_num == null ? "" : g.sheet_num + " ") + g.job_id : "no job";
  return of + (many && g.host ? " · " + g.host : "");
}

function paint(l, canvas, view) {
  const height = Math.max(20, Math.min(view.clientHeight, l.height)), top = view.scrollTop, { frame } = l;
  const g = prepare(canvas, frame.left + frame.width + 8, height);
  grid(g, frame, height);
  g.save();
  g.beginPath();
  g.rect(frame.left, 0, frame.width, height);
  g.clip();
  for (const at of l.groups) paintCells(g, l, at, top, height);
  const seen = paintBars(g, l, top, height);
  hatch(g, frame, l.holes, height);
  g.restore();
  paintNames(g, l, top, height);
  if (l.row >= 16) paintLabels(g, l, seen, top);
  for (const b of seen) if (badly(b)) mark(g, b, frame.x(b.end), b.y - top + l.row / 2, frame);
  if (l.focus) {
    const x = Math.max(frame.left, frame.x(l.focus.start)), end = Math.max(x + 4, frame.x(l.focus.end ?? frame.to));
    g.strokeStyle = color("text");
    g.lineWidth = 2;
    g.strokeRect(x - 1, l.focus.y - top - 1, Math.min(end - x, frame.width) + 2, l.row + 1);
  }
}

// paintBars draws bars, colour by colour; neighbours that are too thin to be told apart are one.
function paintBars(g, l, top, height) {
  const { frame } = l, rects = new Map(), seen = [], high = l.row > 6 ? l.row - 2 : l.row - 1;
  for (const [y, row] of l.rows) {
    if (y - top > height || y - top + l.row < 0) continue;
    let last = null;
    for (const b of row) {
      const x = Math.max(frame.left - 1, frame.x(b.start)), end = Math.min(frame.left + frame.width + 1, frame.x(b.end ?? b.until ?? frame.to));
      if (end < frame.left || x > frame.left + frame.width) continue;
      seen.push(b);
      const w = Math.max(1, end - x - (end - x >= 4 ? 1 : 0));
      if (last && w < 1.5 && x <= last[0] + last[2] + 1) { last[2] = Math.max(last[2], x + w - last[0]); continue; }
      last = [x, y - top + 1, w, high];
      if (!rects.has(b.class)) rects.set(b.class, []);
      rects.get(b.class).push(last);
    }
  }
  for (const [c, list] of rects) {
    g.fillStyle = c < 0 ? color("unknown") : color("cpu" + c);
    g.beginPath();
    for (const r of list) g.rect(...r);
    g.fill();
    if (c >= 0) continue;
    g.strokeStyle = color("control"); // what is not known is an outline
    g.lineWidth = 1;
    for (const [x, y, w, h] of list) if (w > 2 && h > 3) g.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
  }
  return seen;
}

// paintCells shows how many short lives began when.
function paintCells(g, l, at, top, height) {
  const y = at.y - top;
  if (y > height || y + band < 0 || !at.cells.length) return;
  const most = Math.max(...at.cells.map((c) => c.lives)), w = Math.max(1, l.data.cell_seconds / (l.frame.to - l.frame.from) * l.frame.width);
  for (const c of at.cells) {
    const high = Math.max(2, (band - 3) * c.lives / most);
    g.fillStyle = c.deaths ? color("failed") : color("cpu1");
    g.fillRect(l.frame.x(c.timestamp), y + band - 1 - high, w, high);
  }
}

function paintNames(g, l, top, height) {
  g.textAlign = "left";
  l.groups.forEach((at, i) => {
    const end = i + 1 < l.groups.length ? l.groups[i + 1].y : l.height;
    if (at.y - top > height || end < top) return;
    const y = Math.min(Math.max(at.y - top, 0), end - top - band) + band / 2;
    g.fillStyle = color("text");
    g.fillText(cut(g, at.name, (l.frame.left || l.frame.width) - 8), 4, y);
    g.fillStyle = color("line");
    g.fillRect(0, Math.round(at.y - top), l.frame.left + l.frame.width, 1);
  });
}

function paintLabels(g, l, seen, top) {
  g.textAlign = "left";
  for (const b of seen) {
    const x = Math.max(l.frame.left, l.frame.x(b.start)), end = Math.min(l.frame.left + l.frame.width, l.frame.x(b.end ?? b.until ?? l.frame.to));
    if (end - x < 34) continue;
    g.fillStyle = b.class < 0 ? color("text") : color("oncpu" + b.class);
    g.fillText(cut(g, b.pid ? program(b.command) : b.command, end - x - 8), x + 4, b.y - top + 8);
  }
}

// cut makes a text as short as its room.
function cut(g, text, room) {
  let s = safe(text.length > 200 ? text.slice(0, 200) : text);
  if (g.measureText(s).width <= room) return s;
  while (s.length > 1 && g.measureText(s + "…").width > room) s = s.slice(0, Math.floor(s.length * 0.8));
  return s + "…";
}

// mark shows how a process ended by its shape too: a square for want of memory, a triangle for a signal, a cross for an exit code.
function mark(g, b, x, y, frame) {
  if (x < frame.left || x > frame.left + frame.width) return;
  const kind = badly(b), r = 5;
  const path = () => {
    g.beginPath();
    if (kind === "oom") g.rect(x - r + 1, y - r + 1, 2 * r - 2, 2 * r - 2);
    else if (kind === "killed") { g.moveTo(x, y - r); g.lineTo(x + r, y + r - 1); g.lineTo(x - r, y + r - 1); g.closePath(); }
    else { g.moveTo(x - 4, y - 4); g.lineTo(x + 4, y + 4); g.moveTo(x + 4, y - 4); g.lineTo(x - 4, y + 4); }
  };
  path();
  g.strokeStyle = color("panel");
  g.lineWidth = 5;
  g.stroke();
  path();
  g.strokeStyle = g.fillStyle = color(kind === "oom" ? "oom" : "failed");
  g.lineWidth = 2;
  if (kind === "failed") g.stroke();
  else g.fill();
}

function hit(l, canvas, e) {
  if (!l.frame) return null;
  const box = canvas.getBoundingClientRect(), x = e.clientX - box.left, y = e.clientY - box.top + l.view.scrollTop;
  let found = null, near = 5;
  for (const [at, row] of l.rows) {
    if (y < at - 1 || y > at + l.row) continue;
    for (const b of row) {
      const from = l.frame.x(b.start), to = l.frame.x(b.end ?? b.until ?? l.frame.to), away = x < from ? from - x : x > to ? x - to : 0;
      if (away < near) { near = away; found = b; }
    }
  }
  return found;
}

// tell is a bar in one line.
export function tell(b) {
  const kind = badly(b);
  const ended = b.end == null ? "still there" : kind === "oom" ? "■ killed for want of memory" : kind === "killed" ? "▲ ended by " + signal(b.signal_num) : kind === "failed" ? "✕ exit " + b.exit_code : b.exit_code === 0 ? "exit 0" : "ended";
  return `${b.pid ? program(b.command) + " " + b.pid : b.command} · ${moment(b.start)}, ${span((b.end ?? b.until ?? b.start) - b.start)} · ${ended}` + (b.cpu_seconds == null ? "" : ` · CPU ${span(b.cpu_seconds)}`) + (b.peak_rss_mb == null ? "" : ` · ${size(b.peak_rss_mb)}`);
}

function hover(l, canvas, tip, e) {
  const b = hit(l, canvas, e);
  tip.hidden = !b;
  l.view.classList.toggle("over", !!b);
  if (!b) return;
  tip.textContent = safe(tell(b) + "\n" + b.command.slice(0, 300));
  const box = l.root.getBoundingClientRect();
  tip.style.left = Math.max(0, Math.min(e.clientX - box.left + 12, box.width - tip.offsetWidth)) + "px";
  tip.style.top = e.clientY - box.top + 18 + "px";
}

function move(l, view, by, deathsOnly) {
  if (!l.frame) return null; // nothing is drawn yet
  const list = deathsOnly ? l.deaths : [...l.rows.entries()].sort((a, b) => a[0] - b[0]).flatMap((r) => r[1]);
  const inside = list.filter((b) => (b.end ?? b.until ?? Infinity) >= l.frame.from && b.start <= l.frame.to);
  if (!inside.length) { say(deathsOnly ? "No death here." : "No bar here."); return null; }
  const at = inside.indexOf(l.focus);
  l.focus = inside[at < 0 ? (by > 0 ? 0 : inside.length - 1) : (at + by + inside.length) % inside.length];
  if (l.focus.y < view.scrollTop || l.focus.y + l.row > view.scrollTop + view.clientHeight) view.scrollTop = Math.max(0, l.focus.y - view.clientHeight / 2);
  l.redraw();
  say(tell(l.focus));
  return l.focus;
}

function asTable(details, l) {
  const list = [...l.data.bars].sort((a, b) => b.start - a.start).slice(0, 500); // the newest
  details.replaceChildren(el("summary", {}, "Bars as a table"), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Bars" },
    el("table", {}, el("tbody", {}, list.map((b) => el("tr", {}, el("td", {}, tell(b))))))));
}
