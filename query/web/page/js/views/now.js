// Now: the hosts, who uses most, what died last.

import { el, fill } from "../dom.js";
import { ask } from "../api.js";
import { href, param } from "../url.js";
import { panel } from "../panel.js";
import { table } from "../table.js";
import { topPanel } from "../top.js";
import { eventsPanel } from "../events.js";
import { spark } from "../chart.js";
import { markOf, openNow } from "../anomalies.js";
import { percent, known, program, size, span } from "../format.js";

const back = 900; // seconds of the small lines

export function now(main) {
  const one = !!param("host");
  const hosts = panel(one ? param("host") : "Hosts", "A row is a machine: what it uses now, the last 15 minutes as a line, and who uses most of it.");
  const sparks = new Map();
  let found = null;
  const t = table("Hosts", [
    { title: "Host", get: (h) => h.host, link: (h) => href("/timeline", { host: h.host, span: "1h" }) },
    { title: "Anomalies", get: (h) => (h.found ? markOf(h.found.severity, h.found.n) : "") },
    { title: "CPU", num: true, get: (h) => (h.cpu == null ? "?" : percent(h.cpu)), cls: (h) => level(h.cpu) },
    { title: "15 min", get: (h) => line(sparks, h.host + "/cpu", h.points, (p) => p.cpu_cores, h.cpus) },
    { title: "Memory", num: true, get: (h) => (h.total ? size(h.used) + " of " + size(h.total) : "?"), cls: (h) => level(h.total ? 100 * h.used / h.total : null) },
    { title: "15 min", get: (h) => line(sparks, h.host + "/mem", h.points, (p) => p.memory_used_mb, h.total) },
    { title: "Waits for CPU, memory, I/O", num: true, get: (h) => pressure(h.pressure) },
    { title: "Load", num: true, get: (h) => h.load.toFixed(2) },
    { title: "GPU", get: (h) => gpus(h.gpus) },
    { title: "Most CPU", get: (h) => h.top },
    { title: "Known, 1 h", num: true, get: (h) => known(h.known) },
    { title: "Last seen", num: true, get: (h) => span(Math.max(0, h.age)) + " ago", cls: (h) => (h.age > 60 ? "bad" : "") },
  ], "No host is recorded yet. Start one with: proctape up");
  hosts.body.append(t.root);
  const top = topPanel("Who uses most", "The newest sample of each process. A name opens its story; by puts together what belongs together.", () => ({}), {}, (r) => found && r.process && found.of(r.host, r.process));
  const events = eventsPanel("Last deaths", "Processes that a signal ended, that ran out of memory or that said they failed, the newest first.", () => ({ since: "-1h" }));
  fill(main, el("h1", { class: "unseen" }, "Now"), hosts.root, top.root, events.root);

  const readHosts = () => hosts.load(async (current) => {
    const at = Date.now() / 1000;
    const [balance, heads, series, most, open] = await Promise.all([ask("hosts"), ask("processes", { pid: 1, host: param("host") }),
      ask("series", { since: at - back, until: at, host: param("host"), most: 96 }), ask("top", { by: "process", limit: 200, host: param("host") }), openNow(param("host"))]);
    if (!current()) return;
    found = open;
    const rows = balance.items.filter((h) => !one || h.host === param("host")).map((h) => ({ ...row(h, at, balance, heads, series, most), found: found.hosts.get(h.host) }));
    t.update(rows, (h) => h.host);
    for (const draw of sparks.values()) draw();
  });
  return {
    async refresh() { await Promise.all([readHosts(), events.refresh()]); await top.refresh(); },
    every: () => 5,
    resize() { for (const draw of sparks.values()) draw(); },
    keys: [["/", "choose a host", () => document.getElementById("host").focus()]],
  };
}

function row(h, at, balance, heads, series, most) {
  const head = heads.items.find((x) => x.host === h.host), points = (series.hosts.find((x) => x.host === h.host) || { points: [] }).points;
  const used = most.rows.filter((r) => r.host === h.host), cover = (balance.coverage || []).find((c) => c.host === h.host), last = points.at(-1);
  return {
    host: h.host, points, age: at - h.last_time, known: cover && cover.coverage_percent, cpus: head && head.cpus,
    cpu: last && last.cpu_cores != null && head && head.cpus ? 100 * last.cpu_cores / head.cpus : null,
    used: head && head.system_memory_used_mb, total: head && head.system_memory_total_mb, pressure: head && head.pressure, load: head ? head.load_avg_1 : 0,
    gpus: head ? head.gpus || [] : [], top: used.slice(0, 3).map((r) => program(r.process.command) + " " + percent(r.cpu_percent)).join(", "),
  };
}

const level = (p) => (p >= 95 ? "bad" : p >= 80 ? "warn" : "");

function pressure(p) {
  if (!p) return "?";
  return [p.cpu_some, p.memory_some, p.io_some].map((v) => (v == null ? "?" : v.toFixed(0))).join(" · ") + " %";
}

const gpus = (list) => list.map((g) => `${g.index}: ${percent(g.utilization_pct)}, ${size(g.memory_used_mb)}`).join("; ");

// line is a small canvas, the same one each time.
function line(sparks, name, points, value, most) {
  let canvas = document.createElement("canvas");
  if (sparks.has(name)) canvas = sparks.get(name).canvas;
  canvas.className = "spark";
  canvas.setAttribute("aria-hidden", "true");
  const draw = () => spark(canvas, points, value, most);
  draw.canvas = canvas;
  sparks.set(name, draw);
  return canvas;
}
