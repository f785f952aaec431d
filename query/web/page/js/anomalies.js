// What rules found: episodes as a strip above the charts, as a list, and as marks in rows of hosts and processes.

import { el, say, setText } from "./dom.js";
import { ask } from "./api.js";
import { href, param } from "./url.js";
import { panel } from "./panel.js";
import { table } from "./table.js";
import { digits, program, span, time } from "./format.js";

const ranks = ["low", "medium", "high", "critical"];
const rowHigh = 26, mostRows = 3, most = 200;

// mark is the sign of an episode, worse ones with more to it.
export function mark(severity) { return "◆" + "!".repeat(Math.max(0, ranks.indexOf(severity) - 1)); }

const colour = (severity) => ({ low: "", medium: "warn" })[severity] ?? "bad";

// about says what an episode is about.
export function about(a) {
  if (a.subject === "process") return program(a.command) + " " + a.pid;
  if (a.subject === "group") return "processes of " + (a.command ? program(a.command) : a.cgroup || "?");
  if (a.subject === "gpu") return `GPU ${a.gpu} of ${a.host}`;
  if (a.subject === "job" || a.subject === "run") return a.subject + " of " + a.job_id;
  return a.host || "the fleet";
}

// lasted says how long an episode went on, or that it goes on.
const lasted = (a) => (a.ended == null ? "goes on" : a.ended > a.started ? span(a.ended - a.started) : "a moment");

const told = (a) => `${mark(a.severity)} ${a.rule} (${a.severity}), ${about(a)}, since ${time(a.started)}, ${lasted(a)}: ${a.description}`;

const iso = (t) => new Date(t * 1000).toISOString();

// timeOf is the time of an episode, with an end that is not its start.
export const timeOf = (a) => [a.started, Math.max(a.ended ?? Date.now() / 1000, a.started + 1)];

// lineOf is the address of an episode in the timeline.
export function lineOf(a) {
  const [from, to] = timeOf(a), edge = Math.max(30, (to - from) / 2);
  return href("/timeline", { host: a.host, from: iso(from - edge), to: iso(to + edge), sel: iso(from) + "~" + iso(to), anomaly: a.episode_id });
}

function subjectOf(a) {
  if (a.subject === "process") return href("/process", { host: a.host, pid: a.pid, start: a.start_ticks });
  if (a.job_id) return href("/job", { name: a.job_id, host: a.fleet ? "" : a.host });
  return null;
}

// readAnomalies asks for the newest episodes that overlap a range, by when they began. A server of an earlier version has none.
export async function readAnomalies(q) {
  const list = await ask("anomalies", { ...q, order: "newest", limit: most });
  list.items.sort((a, b) => a.started - b.started);
  return list;
}

// openNow are the episodes that go on, by host, with the processes that they are about.
export async function openNow(host) {
  const hosts = new Map(), processes = new Map();
  const worse = (a, b) => (a && ranks.indexOf(a) > ranks.indexOf(b) ? a : b);
  for (const a of (await readAnomalies({ open: true, host })).items) {
    const h = hosts.get(a.host) || { n: 0, severity: "" };
    hosts.set(a.host, { n: h.n + 1, severity: worse(h.severity, a.severity) });
    const key = [a.host, a.pid, a.start_ticks].join("/");
    if (a.subject === "process") processes.set(key, worse(processes.get(key), a.severity));
  }
  return { hosts, of: (host, p) => processes.get([host, p.pid, p.start_ticks].join("/")) };
}

// strip makes a strip of episodes: a band for each, from its start to its end, which is a button. choose(a) is called for one that is pressed.
export function strip(choose) {
  const rows = el("div", { class: "bands", role: "group", "aria-label": "Anomalies" });
  const tip = el("div", { class: "tip", hidden: true }), more = el("p", { class: "sum", hidden: true });
  const s = { root: el("div", { class: "episodes", hidden: true }, rows, tip, more), shown: new Map() };
  const show = (b, a) => {
    setText(tip, told(a));
    tip.hidden = false;
    tip.style.left = Math.min(b.offsetLeft, Math.max(0, rows.clientWidth - tip.offsetWidth)) + "px";
    tip.style.top = b.offsetTop + b.offsetHeight + "px";
  };
  const make = (a) => {
    const b = el("button", { type: "button", class: "episode", onclick: () => choose(a), onpointerleave: () => (tip.hidden = true), onblur: () => (tip.hidden = true) });
    for (const when of ["pointerenter", "focus"]) b.addEventListener(when, () => show(b, b.of));
    return b;
  };
  s.draw = (frame, list) => {
    const ends = [], now = new Map();
    let left = 0;
    for (const a of list) {
      const from = Math.max(frame.left, frame.x(a.started)), to = Math.min(frame.left + frame.width, frame.x(a.ended ?? Date.now() / 1000));
      if (to < frame.left || from > frame.left + frame.width) continue;
      const wide = Math.max(28, to - from), at = Math.max(0, Math.min(from, frame.left + frame.width - wide));
      let row = ends.findIndex((end) => end < at);
      if (row < 0) row = ends.length;
      if (row >= mostRows) { left++; continue; }
      ends[row] = at + wide;
      const b = s.shown.get(a.episode_id) || make(a), chosen = param("anomaly") === a.episode_id;
      b.of = a;
      b.className = "episode " + colour(a.severity) + (a.ended == null ? " open" : "");
      setText(b, mark(a.severity) + (wide > 90 ? " " + a.rule : ""));
      b.setAttribute("aria-label", told(a).slice(0, 400));
      b.setAttribute("aria-pressed", String(chosen));
      Object.assign(b.style, { left: at + "px", width: wide + "px", top: row * rowHigh + "px" });
      now.set(a.episode_id, b);
      if (b.parentNode !== rows) rows.append(b);
    }
    for (const [id, b] of s.shown) if (!now.has(id)) b.remove();
    s.shown = now;
    s.root.hidden = !now.size;
    rows.style.height = ends.length * rowHigh + "px";
    more.hidden = !left;
    setText(more, `◆ ${left} more: they are in the list below, and here when you zoom in.`);
  };
  // focus goes to the next episode, or the one before.
  s.focus = (by) => {
    const list = [...s.shown.values()].sort((a, b) => a.of.started - b.of.started), at = list.indexOf(document.activeElement);
    const b = list[at < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(list.length - 1, Math.max(0, at + by))];
    if (!b) { say("No anomaly here"); return; }
    b.focus();
    say(told(b.of));
  };
  return s;
}

// anomaliesPanel makes a panel of the episodes of a range.
export function anomaliesPanel(title, explains, range, nothing) {
  const p = panel(title, explains);
  const t = table(title, [
    { title: "Since", get: (a) => time(a.started), link: lineOf, cls: (a) => "time" + (param("anomaly") === a.episode_id ? " self" : "") },
    { title: "For", num: true, get: lasted },
    { title: "What", get: (a) => mark(a.severity) + " " + a.rule, cls: (a) => colour(a.severity) },
    { title: "Severity", get: (a) => a.severity },
    { title: "Of", get: about, link: subjectOf },
    { title: "Host", get: (a) => a.host || "the fleet" },
    { title: "Worst", num: true, get: (a) => (a.peak_value == null ? "" : digits(a.peak_value) + (a.metric ? " " + a.metric : "")) },
    { title: "Description", get: (a) => a.description, cls: () => "command" },
  ], nothing || "No rule found anything here.");
  const more = el("p", { class: "sum" });
  p.body.append(t.root, more);
  p.refresh = () => p.load(async (current) => {
    const q = range();
    const list = q ? await readAnomalies({ ...q, start: "" }) : { items: [] };
    if (!current()) return;
    const items = q && q.start ? list.items.filter((a) => String(a.start_ticks) === String(q.start)) : list.items;
    t.update(items.reverse(), (a) => a.episode_id);
    setText(more, list.items.length === most ? `The newest ${most}; there are more. Choose a shorter time.` : "");
    p.cover(list.coverage);
  });
  return p;
}

// markOf is a mark in a row, with the words that say it.
export function markOf(severity, n) {
  if (!severity) return "";
  return el("span", { class: colour(severity), title: `what a rule found goes on: ${severity}` }, mark(severity) + (n > 1 ? " " + n : ""), el("span", { class: "unseen" }, ` anomaly, ${severity}`));
}
