// Events as a list: what started and ended, deaths above all.

import { ask } from "./api.js";
import { el, setText } from "./dom.js";
import { href, param } from "./url.js";
import { panel } from "./panel.js";
import { table } from "./table.js";
import { program, signal, size, span, time } from "./format.js";

// ended says in words how a process ended, with its sign.
export function ended(e) {
  if (e.event_type === "oom" || e.cause === "oom") return "■ out of memory";
  if (e.event_type === "kill" || e.event_type === "signal") return "▲ " + signal(e.signal_num);
  if (e.event_type === "spawn") return "start";
  if (e.signal_num != null) return "▲ " + signal(e.signal_num);
  return e.exit_code ? "✕ exit " + e.exit_code : e.exit_code === 0 ? "exit 0" : "ended";
}

// deaths joins what is told of one death by several events: the exit knows most, the others why.
function deaths(list) {
  const why = new Map(), of = (e) => e.host + "/" + e.pid + "/" + e.start_ticks;
  const exits = new Set(list.filter((e) => e.event_type === "exit").map(of));
  for (const e of list) if (e.event_type === "oom") why.set(of(e), "oom");
  return list.filter((e) => e.event_type === "exit" || e.event_type === "spawn" || !exits.has(of(e))).map((e) => (why.has(of(e)) ? { ...e, cause: why.get(of(e)) } : e));
}

// eventsPanel makes a panel of the newest deaths of a range.
export function eventsPanel(title, explains, range, fixed = {}) {
  const all = el("input", { type: "checkbox" });
  const p = panel(title, explains, el("label", {}, all, " starts and good ends too"));
  const t = table(title, [
    { title: "Time", get: (e) => time(e.timestamp), cls: () => "time" },
    { title: "What", get: ended, cls: (e) => (ended(e)[0] === "■" ? "oom" : /[▲✕]/.test(ended(e)[0]) ? "bad" : "") },
    { title: "Who", get: (e) => program(e.command), link: (e) => href("/process", { host: e.host, pid: e.pid, start: e.start_ticks }) },
    { title: "PID", num: true, get: (e) => e.pid },
    { title: "Host", get: (e) => e.host },
    { title: "Job", get: (e) => (e.job_id ? e.job_id + (e.sheet_num == null ? "" : " · " + e.sheet_num) : ""), link: (e) => e.job_id && href("/job", { name: e.job_id, host: e.host }) },
    { title: "Lived", num: true, get: (e) => (e.lifetime_seconds == null ? "" : span(e.lifetime_seconds)) },
    { title: "CPU", num: true, get: (e) => (e.cpu_seconds == null ? "" : span(e.cpu_seconds)) },
    { title: "Peak", num: true, get: (e) => (e.peak_rss_mb == null ? "" : size(e.peak_rss_mb)) },
    { title: "Command", get: (e) => (e.command || "").slice(0, 300), cls: () => "command" },
  ], "Nothing ended badly here.");
  const more = el("p", { class: "sum" });
  p.body.append(t.root, more);
  p.refresh = () => p.load(async (current) => {
    const q = { ...range(), ...fixed, host: param("host"), order: "newest", limit: 50 };
    const list = await ask("events", all.checked ? q : { ...q, failed: true });
    if (!current()) return;
    t.update(deaths(list.items), (e) => e.id);
    setText(more, list.next ? "The newest 50; there are more. Select a shorter time." : "");
    p.cover(list.coverage);
  });
  all.addEventListener("change", p.refresh);
  return p;
}
