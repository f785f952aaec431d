// Holes: stretches of which nothing is recorded.

import { breakAfter } from "./chart.js";

// hides are the kinds of gaps of which whatever was recorded is missing.
const hides = new Set(["missing", "dropped", "end_lost", "restart", "missed_ticks", "silence", "stream_hole", "trimmed_unread", "stream_lost_end", "log_damaged", "database_damaged", "events_lost", "events_dropped"]);

// recorded are the stretches that gaps tell of.
export const recorded = (gaps) => gaps.filter((x) => hides.has(x.kind) && x.to_time > x.from_time).map((x) => [x.from_time, x.to_time]);

// silent are the stretches in which no host has a point.
export function silent(s, range) {
  const points = s.hosts.flatMap((h) => h.points).filter((p) => p.samples > 0).sort((a, b) => a.timestamp - b.timestamp);
  if (!points.length) return [[range.from, Math.min(range.to, Date.now() / 1000)]];
  const broken = breakAfter(points, s.cell_seconds), list = [];
  let end = range.from;
  for (const p of points) {
    if (p.timestamp - end > broken) list.push([end, p.timestamp]);
    end = p.timestamp + s.cell_seconds;
  }
  const now = Math.min(range.to, Date.now() / 1000);
  const late = now < range.to - 1 || Date.now() / 1000 - now < 30 ? 10 : 0; // what is new may still be on its way
  if (now - end > Math.max(broken, late)) list.push([end, now]);
  return list;
}
