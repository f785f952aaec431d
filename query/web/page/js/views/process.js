// Process: why it ended, what it used through its life, who bore it and whom it bore.

import { el, fill } from "../dom.js";
import { ask, askIf } from "../api.js";
import { href, param } from "../url.js";
import { panel, empty } from "../panel.js";
import { table } from "../table.js";
import { chart } from "../chart.js";
import { drawAxis, frameOf } from "../frame.js";
import { anomaliesPanel } from "../anomalies.js";
import { digits, moment, percent, program, size, span, time } from "../format.js";

export function process(main) {
  const q = { host: param("host"), pid: param("pid"), start: param("start"), boot: param("boot") };
  const title = el("h1", {}, "Process " + (q.pid || "?"));
  const story = panel("How it lived and why it ended", "What is known of this process, oldest first.");
  const life = panel("Through its life", "Each sample of it: memory, CPU and I/O. Hatched or broken: not recorded.");
  const kin = panel("Parents and children", "Who bore whom, as it was at its newest sample.");
  const found = anomaliesPanel("Anomalies of it", "What rules found of this process. A time opens the episode in the timeline.", () => ({ host: q.host, pid: q.pid, start: q.start || begun }), "No rule found anything of it.");
  const axis = el("canvas", { "aria-hidden": "true" });
  const charts = [
    chart({ title: "Memory", value: (p) => p.rss_mb, most: (p) => p.rss_mb_max, show: size, binary: true }),
    chart({ title: "CPU, % of a core", value: (p) => p.cpu_percent, most: (p) => p.cpu_percent_max, show: (v) => digits(v) + " %", height: 72 }),
    chart({ title: "Read and wrote, sum", value: (p) => (p.read_mb == null && p.write_mb == null ? null : (p.read_mb || 0) + (p.write_mb || 0)), show: size, binary: true, height: 56 }),
  ];
  const stack = el("div", { class: "stack" }, axis, charts.map((c) => c.root));
  const none = empty("No sample has it: it lived between two of them.");
  none.hidden = true;
  life.body.append(stack, none);
  fill(main, title, story.root, life.root, found.root, kin.root);
  let drawn = null, alive = true, last = 0, begun = "";
  const draw = () => {
    if (!drawn) return;
    const frame = frameOf(stack, drawn.from, drawn.to);
    drawAxis(axis, frame);
    for (const c of charts) c.draw(frame, [{ host: q.host, points: drawn.points }], [], 0);
  };
  const readStory = () => story.load(async (current) => {
    const s = await ask("why", q);
    if (!current()) return;
    alive = s.cause === "alive";
    last = s.process.last_time;
    begun = s.process.start_ticks;
    title.textContent = "";
    title.append(document.createTextNode(program(s.process.command).slice(0, 80) + " " + s.process.pid));
    fill(story.body, tellStory(s));
    story.cover(s.coverage);
  });
  const readLife = () => life.load(async (current) => {
    let points = [], after = "";
    do { // to the end of its life, and no more than a page can draw
      const page = await ask("history", { ...q, limit: 5000, after });
      points.push(...page.items);
      after = page.next;
    } while (after && points.length < 50000);
    if (!current()) return;
    points = points.map(known);
    stack.hidden = !points.length;
    none.hidden = points.length > 0;
    if (!points.length) return;
    const from = points[0].timestamp, to = points.at(-1).timestamp, edge = Math.max(1, (to - from) * 0.02);
    drawn = { from: from - edge, to: to + edge, points };
    draw();
  });
  const readKin = () => kin.load(async (current) => {
    const told = await askIf("tree", { at: alive ? "" : last, pid: q.pid, host: q.host });
    if (!current()) return;
    const rows = told ? told.items.flatMap((t) => flatten(t.roots, 0, t.host)) : [];
    const t = table("Kin", [
      { title: "Who", get: (r) => "\u00a0".repeat(2 * r.depth) + (r.depth ? "└ " : "") + program(r.node.command), link: (r) => href("/process", { host: r.host, pid: r.node.pid, start: r.node.start_ticks }), cls: (r) => (String(r.node.pid) === q.pid ? "self" : "") },
      { title: "PID", num: true, get: (r) => r.node.pid },
      { title: "CPU", num: true, get: (r) => (r.node.ended ? "ended" : percent(r.node.cpu_percent)) },
      { title: "Memory", num: true, get: (r) => (r.node.ended ? "" : size(r.node.rss_mb)) },
      { title: "Command", get: (r) => (r.node.command || "").slice(0, 300), cls: () => "command" },
    ], "No sample has it, so who was around it is not known. Its story names its parent.");
    t.update(rows.slice(0, 500), (r) => r.node.pid + "/" + r.node.start_ticks);
    fill(kin.body, t.root);
  });
  return {
    get every() { return alive ? () => 5 : null; },
    async refresh() {
      if (!q.pid) { fill(story.body, empty("No process is named.")); return; }
      await readStory();
      await Promise.all([readLife(), readKin(), found.refresh()]);
    },
    resize: draw,
  };
}

// known makes null of what a point says it does not know.
function known(p) {
  for (const k of p.unknown || []) p[k] = null;
  return p;
}

function flatten(nodes, depth, host) {
  return (nodes || []).flatMap((node) => [{ node, depth, host }, ...flatten(node.children, depth + 1, host)]);
}

function tellStory(s) {
  const p = s.process, u = s.used, atLeast = u.within_seconds == null ? "" : "at least ";
  const lines = s.moments.map((m) => el("li", { class: m.kind === "death" ? "bad" : "" }, el("time", {}, moment(m.timestamp)), " " + m.text));
  const at = p.born_time ?? p.first_time;
  return [
    el("p", { class: "verdict " + (["alive", "ended"].includes(s.cause) ? "well" : s.cause === "not_known" ? "" : "standing") }, s.verdict),
    el("p", { class: "command" }, p.command.slice(0, 2000)),
    el("p", { class: "sum" }, `${time(at)} – ${s.cause === "alive" ? "now" : time(p.last_time)} on ${p.host}`, p.job_id ? [" · job ", el("a", { href: href("/job", { name: p.job_id, host: p.host }) }, p.job_id.slice(0, 200)), p.sheet_num == null ? "" : ", step " + p.sheet_num] : "",
      p.uid == null ? "" : ` · user ${p.uid}`, " · ", el("a", { href: href("/timeline", { host: p.host, from: new Date((at - 30) * 1000).toISOString(), to: new Date((p.last_time + 30) * 1000).toISOString() }) }, "in the timeline")),
    el("ol", { class: "story" }, lines),
    el("p", {}, `Used: CPU ${atLeast}${span(u.cpu_seconds)} · peak ${size(u.peak_rss_mb)} · read ${size(u.read_mb)}, wrote ${size(u.write_mb)} · lived ${span(u.lifetime_seconds)}`),
    shortage(s.shortage),
    (s.unknown_of_it || []).length ? el("p", { class: "cover" }, "▨ Not known of it: " + s.unknown_of_it.join("; ") + ".") : null,
    s.other_lives ? el("p", { class: "sum" }, `${s.other_lives} other processes had this number.`) : null,
  ];
}

function shortage(s) {
  if (!s) return null;
  const list = s.in_group.length ? s.in_group : s.on_machine;
  const t = table("Who had memory", [
    { title: s.in_group.length ? "In its control group" : "On the machine", get: (h) => program(h.command) + " " + h.pid + (h.victim ? " ■" : ""), cls: (h) => (h.victim ? "oom" : "") },
    { title: "A minute before", num: true, get: (h) => size(h.before_mb) },
    { title: "At the death", num: true, get: (h) => size(h.rss_mb) },
    { title: "Growth a second", num: true, get: (h) => size(h.growth_mb_s) },
  ]);
  t.update(list, (h) => h.pid);
  return [t.root, el("p", { class: "sum" }, `Machine: ${size(s.system_memory_used_mb)} of ${size(s.system_memory_total_mb)} used.`)];
}
