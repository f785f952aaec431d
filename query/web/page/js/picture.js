// A picture of a range: charts and lanes on one axis, with what is selected, and what is not recorded hatched through all of it.

import { el, fill } from "./dom.js";
import { ask } from "./api.js";
import { chart } from "./chart.js";
import { appender, join } from "./append.js";
import { recorded, silent } from "./holes.js";
import { drawAxis, frameOf } from "./frame.js";
import { lanes, legend } from "./lanes.js";
import { readLanes } from "./bars.js";
import { readAnomalies, strip } from "./anomalies.js";
import { digits, size } from "./format.js";

const moments = 48; // at which pressure is asked for

// picture makes a picture; open is called for a bar that is opened, choose for an episode that is pressed.
export function picture(open, { charts = true, height, choose = () => {} } = {}) {
  const axis = el("canvas", { "aria-hidden": "true" }), mark = el("div", { class: "mark", hidden: true });
  const cpu = chart({ title: "CPU, cores", value: (p) => p.cpu_cores, most: (p) => p.cpu_cores_max, show: digits });
  const memory = chart({ title: "Memory", height: 72, value: (p) => p.memory_used_mb, most: (p) => p.memory_used_mb_max, limit: (p) => p.memory_total_mb, show: size, binary: true });
  const waits = [["CPU waits, %", "cpu_some"], ["Memory waits, %", "memory_some"], ["I/O waits, %", "io_some"]].map(([title, key]) =>
    chart({ title, height: 48, least: 10, value: (p) => p[key], show: (v) => digits(v) + " %" }));
  const pressed = el("div", { hidden: true }, waits.map((c) => c.root));
  const asked = el("button", { type: "button", "aria-expanded": "false", class: "more" }, "Pressure");
  const bars = lanes(open, height), found = strip(choose);
  const stack = el("div", { class: "stack" }, axis, found.root, charts ? [cpu.root, memory.root, pressed, asked] : [], bars.root, mark), keys = el("div");
  const p = { root: el("div", {}, stack, keys), stack, lanes: bars, strip: found };
  let frame = null, series = { hosts: [], cell_seconds: 1 }, pressure = { hosts: [] }, holes = [], list = { groups: [], bars: [], cells: [], runs: [] }, last = null, shown = null, episodes = [], gaps = [], added = null, seen = 0;
  p.frame = () => frame;
  p.cell = () => series.cell_seconds;
  p.read = async (range, q) => {
    const of = { since: range.from, until: range.to, host: q.host };
    const px = Math.max(100, Math.round(stack.clientWidth || 800));
    const [s, l, g, a] = await Promise.all([charts ? ask("series", { ...of, most: Math.min(1000, px) }) : null, readLanes({ ...of, job: q.job, step: q.step }, px), ask("gaps", { ...of, limit: 500 }), readAnomalies({ ...of, job: q.job })]);
    episodes = a.items;
    if (s) series = s;
    list = q.only ? within(l, q.only) : l;
    seen = s ? Math.max(...s.hosts.flatMap((h) => h.points.map((x) => x.timestamp + s.cell_seconds))) : Infinity;
    for (const b of list.bars) if (b.end == null && seen > range.from) b.until = Math.max(b.start, Math.min(b.until, seen)); // no longer than somebody looked
    gaps = recorded(g.items);
    holes = s ? [...gaps, ...silent(s, range)] : gaps;
    added = s ? appender(list, range.to) : null;
    last = { range, q };
    if (!pressed.hidden) await readPressure();
    return { of: s ? "from " + s.of : "", cell: series.cell_seconds, coverage: (s || l).coverage, left: leftOut(l) };
  };
  p.draw = (range, sel) => {
    shown = sel;
    frame = frameOf(stack, range.from, range.to);
    drawAxis(axis, frame);
    found.draw(frame, episodes);
    if (charts) {
      cpu.draw(frame, series.hosts, holes, series.cell_seconds);
      memory.draw(frame, series.hosts, holes, series.cell_seconds);
      if (!pressed.hidden) for (const c of waits) c.draw(frame, pressure.hosts, holes, (range.to - range.from) / moments);
    }
    bars.draw(frame, list, holes);
    mark.hidden = !sel;
    if (!sel) return;
    const from = Math.max(frame.left, frame.x(sel[0])), to = Math.min(frame.left + frame.width, frame.x(sel[1]));
    mark.hidden = to < from;
    mark.style.left = from + "px";
    mark.style.width = Math.max(1, to - from) + "px";
  };
  // append adds starts and ends and, where asks says so, the newest cells of the series. It says whether all had better be read anew.
  p.append = async (range, events, asks) => {
    if (!added) return false;
    added.add(events, (range.to - range.from) / Math.max(1, frame ? frame.width : 800));
    if (asks) {
      const cell = series.cell_seconds, from = Math.floor((Math.max(range.from, Math.min(seen, range.to)) - cell) / cell) * cell, cells = Math.ceil((range.to - from) / cell);
      const tail = await ask("series", { since: from, until: from + cells * cell, host: last.q.host, most: cells });
      if (tail.cell_seconds !== cell || tail.of !== series.of) return true;
      join(series, tail, range.from);
      seen = Math.max(seen, ...tail.hosts.flatMap((h) => h.points.map((x) => x.timestamp + cell)));
    }
    added.move(range.from, Math.min(range.to, Math.max(seen, ...events.map((e) => e.timestamp))));
    list = added.list;
    holes = [...gaps, ...silent(series, range)];
    return added.stale;
  };
  p.recolor = () => { fill(keys, legend()); bars.recolor(); };
  fill(keys, legend());
  p.toggle = async () => {
    pressed.hidden = !pressed.hidden;
    asked.setAttribute("aria-expanded", String(!pressed.hidden));
    if (!pressed.hidden && last) { await readPressure(); p.draw(last.range, shown); }
  };
  asked.addEventListener("click", () => p.toggle().catch(() => {}));

  // readPressure asks for the heads of the samples of some moments: the series does not have them.
  async function readPressure() {
    const { range, q } = last, step = (range.to - range.from) / moments, hosts = new Map();
    const read = async (i) => {
      const told = await ask("processes", { at: range.from + (i + 1) * step, pid: 1, host: q.host });
      for (const h of told.items) {
        if (h.age_seconds > Math.max(2 * step, 60) || !h.pressure) continue;
        if (!hosts.has(h.host)) hosts.set(h.host, []);
        hosts.get(h.host)[i] = { timestamp: range.from + i * step, ...h.pressure };
      }
    };
    for (let i = 0; i < moments; i += 4) await Promise.all([0, 1, 2, 3].map((n) => read(i + n)));
    pressure = { hosts: [...hosts].map(([host, points]) => ({ host, points: points.filter(Boolean) })) };
  }
  return p;
}

// within leaves what lived within a time.
function within(l, [from, to]) {
  return { ...l, bars: l.bars.filter((b) => b.start <= to && (b.end ?? Infinity) >= from) };
}

// leftOut says what the picture does not show.
function leftOut(l) {
  if (l.cut) return " · the newest 10 000 starts and ends of more: zoom in for all";
  return l.shown < l.total ? ` · ${l.shown} of ${l.total} bars, the longest: zoom in for all` : "";
}
