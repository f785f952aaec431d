// What is new, added to the bars that are there. A bar that is drawn stays where it is; what left the range is forgotten.

const least = 2; // pixels of a bar; a shorter life is counted in a cell
const mostBars = 6000; // more of them had better be read anew

const keyOf = (b) => b.host + "/" + b.pid + "/" + b.start_ticks;

// appender adds to one answer of lanes, which was read at a time (Unix seconds).
export function appender(list, readAt) {
  const bars = new Map(list.bars.filter((b) => b.pid).map((b) => [keyOf(b), b]));
  const groups = new Map(list.groups.map((g, i) => [groupOf(g), i]).filter(([k]) => k));
  const cells = new Map(list.cells.map((c) => [c.group + "/" + c.timestamp, c]));
  const a = { list, stale: false }; // stale when it has to be read anew: a step that was not there, or too many bars

  // add takes events of starts and ends. What was told before, or read, changes nothing.
  a.add = (events, pixel) => {
    for (const e of events) {
      const group = groups.get(groupOf(e));
      if (group === undefined) { a.stale = true; continue; }
      const bar = bars.get(keyOf(e));
      if (e.event_type === "spawn" && !bar && e.timestamp > readAt - 60) begin(e, group, e.timestamp);
      else if (e.event_type === "exit") end(e, group, bar, pixel);
      else if (e.event_type === "oom" && bar) bar.oom = true;
    }
    if (list.bars.length > mostBars) a.stale = true;
  };
  // move forgets what ended before a range, and lets what lives reach to the newest that was heard.
  a.move = (from, seen) => {
    for (const b of list.bars) if (b.end == null) b.until = Math.max(b.start, seen);
    list.bars = list.bars.filter((b) => (b.end ?? seen) >= from || (b.pid && !bars.delete(keyOf(b))));
    list.cells = list.cells.filter((c) => c.timestamp + list.cell_seconds >= from || !cells.delete(c.group + "/" + c.timestamp));
    a.list = { ...list };
  };

  function begin(e, group, start) {
    const bar = { group, row: freeRow(group, start), start, end: null, host: e.host, pid: e.pid, start_ticks: e.start_ticks, command: e.command || "",
      exit_code: null, signal_num: null, cpu_seconds: null, peak_rss_mb: null };
    bars.set(keyOf(e), bar);
    list.bars.push(bar);
    list.groups[group].rows = Math.max(list.groups[group].rows, bar.row + 1);
    return bar;
  }
  function end(e, group, bar, pixel) {
    if (bar && bar.end != null) return;
    const start = bar ? bar.start : e.timestamp - (e.lifetime_seconds ?? 0);
    if (e.timestamp - start < least * pixel) { // too short for a bar
      if (bar) { bars.delete(keyOf(e)); list.bars.splice(list.bars.indexOf(bar), 1); }
      if (e.timestamp > readAt - 1) count(group, start, e); // what the database had then is in its cells
      return;
    }
    Object.assign(bar || begin(e, group, start), { end: e.timestamp, exit_code: e.exit_code, signal_num: e.signal_num, cpu_seconds: e.cpu_seconds, peak_rss_mb: e.peak_rss_mb, command: e.command || (bar && bar.command) || "" });
  }
  // freeRow is the lowest row of a group that is free from a time on.
  function freeRow(group, start) {
    const taken = new Set(list.bars.filter((b) => b.group === group && (b.end ?? Infinity) > start).map((b) => b.row));
    let row = 0;
    while (taken.has(row)) row++;
    return row;
  }
  function count(group, start, e) {
    const timestamp = Math.floor(start / list.cell_seconds) * list.cell_seconds, key = group + "/" + timestamp;
    if (!cells.has(key)) { cells.set(key, { group, timestamp, lives: 0, deaths: 0, cpu_seconds: 0 }); list.cells.push(cells.get(key)); }
    const c = cells.get(key);
    c.lives++;
    if (e.signal_num != null) c.deaths++;
    c.cpu_seconds += e.cpu_seconds || 0;
  }
  return a;
}

const groupOf = (x) => (x.runs ? "" : JSON.stringify([x.host, x.job_id || "", x.sheet_num ?? null]));

// join adds the newest cells of a series to one that is there, and forgets what is older than a time.
export function join(series, tail, from) {
  for (const t of tail.hosts) {
    let h = series.hosts.find((x) => x.host === t.host);
    if (!h) series.hosts.push(h = { host: t.host, points: [] });
    const first = t.points.length ? t.points[0].timestamp : Infinity;
    h.points = h.points.filter((p) => p.timestamp < first).concat(t.points);
  }
  for (const h of series.hosts) h.points = h.points.filter((p) => p.timestamp + series.cell_seconds >= from);
}
