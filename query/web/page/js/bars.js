// Bars: the runs, steps and processes of a range, as the server tells them.

import { ask } from "./api.js";

// readLanes asks for the bars of a range: of the server's lanes where it has them, else of the starts and ends in it.
export async function readLanes(q, px) {
  const told = await asLanes(q, px), list = withRuns(told), killed = await outOfMemory(q, told.bars);
  for (const b of list.bars) {
    if (killed.has(b.pid + "/" + b.start_ticks)) b.oom = true;
    if (b.end == null) b.until = Math.min(q.until, Date.now() / 1000);
  }
  return list;
}

// outOfMemory are those of bars that ended for want of memory. The kernel kills them by signal 9: without such a death nothing is asked, as to search a long time for
// what is rare takes long.
async function outOfMemory(q, bars) {
  const ends = bars.filter((b) => b.signal_num === 9 && b.end != null).map((b) => b.end);
  if (!ends.length) return new Set();
  const since = ends.reduce((a, b) => Math.min(a, b)) - 5, until = ends.reduce((a, b) => Math.max(a, b)) + 5;
  const ooms = await ask("events", { ...q, since, until, type: "oom", limit: 1000 });
  return new Set(ooms.items.map((e) => e.pid + "/" + e.start_ticks));
}

// withRuns puts the runs of each job above all else, as bars of their own with their steps below them.
function withRuns(list) {
  const groups = [], bars = [], of = new Map();
  for (const r of list.runs || []) {
    const key = r.host + "/" + r.job_id;
    if (!of.has(key)) { of.set(key, groups.length); groups.push({ runs: true, host: r.host, job_id: r.job_id, rows: 0 }); }
    const group = of.get(key), steps = r.steps || [], bar = { group, host: r.host, job_id: r.job_id, run: r.run, cpu_seconds: null };
    groups[group].rows = Math.max(groups[group].rows, 2 * r.row + 2);
    bars.push({ ...bar, row: 2 * r.row, start: r.started, end: r.ended, exit_code: r.exit_code, signal_num: r.signal_num, command: "run " + (r.run ?? "") });
    for (const s of steps) if (s.started != null) bars.push({ ...bar, row: 2 * r.row + 1, start: s.started, end: s.ended ?? r.ended, exit_code: s.exit_code, signal_num: s.signal_num, command: "step " + s.sheet_num });
  }
  const shift = groups.length;
  return { ...list, groups: [...groups, ...list.groups], cells: (list.cells || []).map((c) => ({ ...c, group: c.group + shift })),
    bars: [...bars, ...list.bars.map((b) => ({ ...b, group: b.group + shift, host: b.host || list.groups[b.group].host }))] };
}

let answers = null; // the paths that the server has

async function asLanes(q, px) {
  answers ||= (await ask("openapi.json")).paths;
  if (answers["/api/v1/lanes"]) return ask("lanes", { ...q, px });
  return (await import("./lives.js")).fromEvents(q);
}
