// Jobs: the list of them.

import { el, fill } from "../dom.js";
import { ask } from "../api.js";
import { href, param } from "../url.js";
import { panel } from "../panel.js";
import { table } from "../table.js";
import { count, size, span, time } from "../format.js";

// outcome says how a job or run ended, with its sign.
export function outcome(r) {
  if (r.ended === undefined ? r.status === "running" : r.ended == null) return "● running";
  if (r.signal_num != null) return "▲ signal " + r.signal_num;
  if (r.exit_code) return "✕ exit " + r.exit_code;
  return r.exit_code === 0 ? "✓ ok" : r.status || "ended";
}

export const outcomeClass = (r) => ({ "✓": "good", "✕": "bad", "▲": "bad" })[outcome(r)[0]] || "";

export function jobs(main) {
  const p = panel("Jobs", "A job is a command that runs again and again under one name. A name opens its runs.");
  const t = table("Jobs", [
    { title: "Job", get: (j) => j.job_id, link: (j) => href("/job", { name: j.job_id, host: j.host }) },
    { title: "Host", get: (j) => j.host || (j.hosts || []).join(", ") },
    { title: "State", get: outcome, cls: outcomeClass },
    { title: "Runs", num: true, get: (j) => count(j.runs) },
    { title: "CPU time", num: true, get: (j) => span(j.total_cpu_seconds) },
    { title: "Peak of a process", num: true, get: (j) => size(j.peak_rss_mb) },
    { title: "Starts", num: true, get: (j) => count(j.process_spawn_count) },
    { title: "Out of memory", num: true, get: (j) => count(j.oom_count), cls: (j) => (j.oom_count ? "oom" : "") },
    { title: "Last seen", get: (j) => time(j.last_seen), cls: () => "time" },
    { title: "Command", get: (j) => (j.command || "").slice(0, 300), cls: () => "command" },
  ], "No job yet: proctape run --job NAME -- COMMAND");
  p.body.append(t.root);
  fill(main, el("h1", { class: "unseen" }, "Jobs"), p.root);
  return {
    every: () => 5,
    refresh: () => p.load(async (current) => {
      const list = await ask("jobs", { host: param("host"), limit: 500 });
      if (!current()) return;
      t.update(list.items.reverse(), (j) => j.host + "/" + j.job_id);
      p.cover(list.coverage);
    }),
  };
}
