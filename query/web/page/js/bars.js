// Bars: the runs, steps and processes of a range, as the server tells them.

import { ask } from "./api.js";

// readLanes asks for the bars of a range: of the server's lanes where it has them, else of the starts and ends in it.
export async function readLanes(q, px) {
  const list = withRuns(await asLanes(q, px));
  for (const b of list.bars) if (b.end == null) b.until = Math.min(q.until, Date.now() / 1000);
  return list;
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
