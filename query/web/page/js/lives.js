// Bars made of starts and ends, for a server that has no lanes.

import { ask } from "./api.js";

const most = 10000;

// fromEvents makes bars of the events of a range, and of what was there at its beginning.
export async function fromEvents(q) {
  const { since, until, host, job, step } = q;
  const [events, there] = await Promise.all([
    ask("events", { since, until, host, job, step, type: "spawn,exit,oom", order: "newest", limit: most }),
    ask("processes", { at: since, host, job, step }),
  ]);
  const lives = new Map();
  const life = (of, host, pid, start) => {
    const key = host + "/" + pid + "/" + start;
    if (!lives.has(key)) lives.set(key, { host, pid, start_ticks: start, start: since, end: null, command: "", exit_code: null, signal_num: null, cpu_seconds: null, peak_rss_mb: null });
    return Object.assign(lives.get(key), of);
  };
  for (const h of there.items) for (const p of h.processes) {
    life({ start: h.timestamp - p.age_seconds, command: p.command, job_id: p.job_id, sheet_num: p.sheet_num, cpu_seconds: p.cpu_seconds }, h.host, p.pid, p.start_ticks);
  }
  for (const e of events.items.reverse()) {
    if (e.event_type === "oom") { life({ oom: true, command: e.command }, e.host, e.pid, e.start_ticks); continue; }
    const at = { command: e.command, job_id: e.job_id, sheet_num: e.sheet_num };
    if (e.event_type === "spawn") life({ ...at, start: e.timestamp }, e.host, e.pid, e.start_ticks);
    else {
      const b = life({ ...at, end: e.timestamp, exit_code: e.exit_code, signal_num: e.signal_num, cpu_seconds: e.cpu_seconds, peak_rss_mb: e.peak_rss_mb }, e.host, e.pid, e.start_ticks);
      if (e.lifetime_seconds != null) b.start = e.timestamp - e.lifetime_seconds;
    }
  }
  return { ...pack([...lives.values()]), cells: [], cell_seconds: 1, runs: [], coverage: events.coverage, cut: !!events.next };
}

// pack gives each life the lowest row of its group that is free when it begins.
function pack(list) {
  const groups = new Map();
  for (const b of list.sort((a, b) => a.start - b.start)) {
    const key = JSON.stringify([b.host, b.job_id, b.sheet_num]);
    if (!groups.has(key)) groups.set(key, { host: b.host, job_id: b.job_id || "", sheet_num: b.sheet_num, ends: [], bars: [] });
    const g = groups.get(key);
    let row = g.ends.findIndex((end) => end <= b.start);
    if (row < 0) row = g.ends.length;
    g.ends[row] = b.end ?? Infinity;
    b.row = row;
    g.bars.push(b);
  }
  const sorted = [...groups.values()].sort((a, b) => !a.job_id - !b.job_id || a.job_id.localeCompare(b.job_id) || (a.sheet_num ?? -1) - (b.sheet_num ?? -1));
  sorted.forEach((g, i) => { for (const b of g.bars) b.group = i; });
  return { groups: sorted.map(({ host, job_id, sheet_num, ends }) => ({ host, job_id, sheet_num, rows: ends.length })), bars: sorted.flatMap((g) => g.bars) };
}
