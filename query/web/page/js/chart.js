// Charts: a line of means in a band up to the largest, an area that is not recorded hatched.

import { el, fill, safe } from "./dom.js";
import { color, grid, hatch, prepare } from "./frame.js";
import { time } from "./format.js";

const lines = ["accent", "ok", "anomaly", "failed", "oom", "faint"];

// chart makes a chart of {title, height, value(point), most(point), limit(point), show(figure)}.
export function chart(of) {
  const canvas = el("canvas", { role: "img", "aria-label": of.title });
  const table = el("details", { class: "astable" }, el("summary", {}, tableOf(of)));
  let last = null;
  table.addEventListener("toggle", () => table.open && last && fillTable(table, of, last));
  return { canvas, table, root: el("div", { class: "chart" }, canvas, table), draw(frame, hosts, holes, cell) {
    last = { hosts };
    draw(canvas, of, frame, hosts, holes, cell);
    if (table.open) fillTable(table, of, last);
  } };
}

// breakAfter is how many seconds without a point break a line: points come every so often, and not in every cell.
export function breakAfter(points, cell) {
  const between = [];
  for (let i = 1; i < points.length; i++) between.push(points[i].timestamp - points[i - 1].timestamp);
  between.sort((a, b) => a - b);
  return Math.max(cell, between[between.length >> 1] || cell) * 2.5;
}

function draw(canvas, of, frame, hosts, holes, cell) {
  const height = of.height || 88, g = prepare(canvas, frame.left + frame.width + 8, height);
  let top = 0, limit = null, least = Infinity, most = 0;
  for (const h of hosts) for (const p of h.points) {
    const v = of.value(p), m = of.most ? of.most(p) : null;
    if (v != null) { top = Math.max(top, v, m || 0); least = Math.min(least, v); most = Math.max(most, v, m || 0); }
    const l = of.limit && of.limit(p);
    if (l != null && hosts.length === 1) limit = l;
  }
  if (limit != null && top > limit / 3) top = Math.max(top, limit);
  const unit = of.binary ? 1024 ** Math.floor(Math.log(Math.max(1, top)) / Math.log(1024) + 1e-9) : 1;
  top = nice((top || of.least || 1) / unit) * unit;
  const y = (v) => height - 4 - (v / top) * (height - 22);
  grid(g, frame, height);
  g.save();
  g.beginPath();
  g.rect(frame.left, 0, frame.width, height);
  g.clip();
  hosts.forEach((h, i) => series(g, of, frame, h.points, cell, y, color(lines[i % lines.length]), hosts.length === 1));
  if (limit != null && limit <= top) {
    g.strokeStyle = color("text");
    g.setLineDash([5, 4]);
    g.beginPath();
    g.moveTo(frame.left, y(limit));
    g.lineTo(frame.left + frame.width, y(limit));
    g.stroke();
    g.setLineDash([]);
  }
  g.restore();
  hatch(g, frame, holes, height);
  labels(g, of, frame, height, top, hosts);
  canvas.setAttribute("aria-label", safe(most || least < Infinity ? `${of.title}: from ${of.show(least)} to ${of.show(most)}, ${time(frame.from)} to ${time(frame.to)}` : `${of.title}: nothing known`));
}

function labels(g, of, frame, height, top, hosts) {
  g.fillStyle = color("text");
  g.textAlign = "left";
  g.fillText(of.title, 4, 9);
  g.fillStyle = color("faint");
  if (hosts.length > 1 && frame.left) hosts.slice(0, Math.max(1, Math.floor((height - 48) / 13))).forEach((h, i) => {
    g.fillStyle = color(lines[i % lines.length]);
    g.fillText(safe(h.host).slice(0, 14), 4, 24 + i * 13);
  });
  g.fillStyle = color("faint");
  g.textAlign = "right";
  g.fillText(of.show(top), frame.left ? frame.left - 4 : frame.width, frame.left ? 18 : 9);
  if (frame.left) g.fillText("0", frame.left - 4, height - 7);
}

function series(g, of, frame, points, cell, y, stroke, band) {
  const has = points.filter((p) => of.value(p) != null), broken = breakAfter(has, cell), half = cell / 2;
  const runs = [];
  let before = null;
  for (const p of has) { // a cell may have starts and ends alone
    const v = of.value(p);
    if (before === null || p.timestamp - before > broken) runs.push([]);
    runs.at(-1).push([frame.x(p.timestamp + half), y(v), y((of.most && of.most(p)) ?? v)]);
    before = p.timestamp;
  }
  for (const r of runs) {
    if (band) {
      g.fillStyle = stroke;
      g.globalAlpha = 0.22;
      g.beginPath();
      r.forEach(([x, , m], i) => (i ? g.lineTo(x, m) : g.moveTo(x, m)));
      for (let i = r.length - 1; i >= 0; i--) g.lineTo(r[i][0], r[i][1]);
      g.fill();
      g.globalAlpha = 1;
    }
    g.strokeStyle = stroke;
    g.lineWidth = 1.5;
    g.beginPath();
    if (r.length === 1) { g.moveTo(r[0][0] - 1, r[0][1]); g.lineTo(r[0][0] + 1, r[0][1]); }
    r.forEach(([x, v], i) => (i ? g.lineTo(x, v) : g.moveTo(x, v)));
    g.stroke();
  }
}

// nice is the next round figure.
function nice(v) {
  const power = 10 ** Math.floor(Math.log10(v));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((m) => m * power >= v * 0.999) * power;
}

// tableOf is what leads to the table of a chart; its title stands in the chart.
const tableOf = (of) => [el("span", { class: "unseen" }, of.title + " "), "as a table"];

function fillTable(table, of, { hosts }) {
  const rows = hosts.flatMap((h) => h.points.filter((p) => of.value(p) != null).map((p) => [h.host, p])).slice(-400);
  const t = el("table", {}, el("thead", {}, el("tr", {}, ["Time", "Host", "Mean", "Largest"].map((c) => el("th", { scope: "col" }, c)))),
    el("tbody", {}, rows.map(([host, p]) => el("tr", {}, [time(p.timestamp), host, of.show(of.value(p)), of.most ? of.show(of.most(p)) : ""].map((c) => el("td", {}, c))))));
  fill(table, el("summary", {}, tableOf(of)), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": of.title }, t));
}

// spark draws a small line without an axis.
export function spark(canvas, points, value, most) {
  const width = canvas.clientWidth || 96, height = 22, g = prepare(canvas, width, height);
  const known = points.filter((p) => value(p) != null);
  if (!known.length) return;
  const from = known[0].timestamp, to = Math.max(from + 1, known.at(-1).timestamp), top = Math.max(most || 0, ...known.map(value)) || 1;
  const broken = breakAfter(known, 1);
  g.strokeStyle = color("accent");
  g.lineWidth = 1.5;
  g.beginPath();
  known.forEach((p, i) => {
    const x = 1 + (p.timestamp - from) / (to - from) * (width - 2), y = height - 2 - value(p) / top * (height - 4);
    if (i && p.timestamp - known[i - 1].timestamp <= broken) g.lineTo(x, y);
    else g.moveTo(x, y);
  });
  g.stroke();
}
