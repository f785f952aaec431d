// Job: its runs side by side, and of one run the waterfall of its processes and the report.

import { el, fill } from "../dom.js";
import { ask } from "../api.js";
import { change, go, href, param } from "../url.js";
import { panel, empty } from "../panel.js";
import { table } from "../table.js";
import { runsPanel } from "../compare.js";
import { picture } from "../picture.js";
import { linkOf } from "../lanes.js";
import { ended } from "../events.js";
import { anomaliesPanel, lineOf } from "../anomalies.js";
import { outcome, outcomeClass } from "./jobs.js";
import { count, digits, moment, program, size, span, time } from "../format.js";

export function job(main) {
  const name = param("name"), q = { job: name, host: param("host") };
  const runs = panel("Runs", "A column is a run, its parts are the steps; the newest is on the right. Choose one to see it below.");
  const bars = el("div", { class: "columns", role: "group", "aria-label": "Runs, the newest on the right" });
  runs.body.append(bars);
  const verdict = panel("The run", "What it used, step by step, beside the run before it.");
  const water = panel("Waterfall", "A bar is a process of the run, from birth to death, below its step. Hatched: not recorded.");
  const pic = picture((b) => go(linkOf(b)), { height: 420, charts: false, choose: (a) => go(lineOf(a)) });
  water.body.append(pic.root);
  const deaths = panel("What ended badly in it", "Ends by a signal, for want of memory, or with another code than 0.");
  const d = deathTable();
  deaths.body.append(d.root);
  const found = anomaliesPanel("Anomalies in it", "What rules found of the job in the time of this run.", () => shown && { ...q, since: shown.from, until: shown.to }, "No rule found anything of this run.");
  const others = el("select", {});
  others.addEventListener("change", () => { change({ against: others.value }, { replace: true, quiet: true }); compared.refresh(); });
  const compared = runsPanel(() => (goesOn ? null : { ...q, run: param("run"), against: param("against") }), el("label", {}, "with ", others));
  fill(main, el("h1", {}, name || "No job is named"), runs.root, verdict.root, compared.root, water.root, found.root, deaths.root);
  let shown = null, goesOn = true;

  const readRuns = () => runs.load(async (current) => {
    const list = await ask("runs", { ...q, limit: 60 });
    await Promise.all(list.items.slice(-withSteps).map(async (r) => { r.steps = await stepsOf(r); }));
    if (!current()) return;
    const chosen = param("run") || String((list.items.at(-1) || {}).run ?? "");
    const longest = Math.max(1e-9, ...list.items.map(length));
    if (!list.items.length) fill(bars, empty("No run of this job is recorded; what is known of it is below."));
    else fill(bars, list.items.map((r) => column(r, longest, String(r.run) === chosen)));
    const before = list.items.filter((r) => String(r.run) !== chosen && r.ended != null).map((r) => String(r.run)).reverse();
    fill(others, el("option", { value: "", selected: !param("against") }, "the runs before it"), before.map((n) => el("option", { value: n, selected: n === param("against") }, "run " + n)));
    runs.cover(list.coverage);
  });
  const readRun = () => verdict.load(async (current) => {
    const r = await ask("report", { ...q, run: param("run") });
    if (!current()) return;
    fill(verdict.body, summary(r), steps(r), advice(r));
    d.update(r.deaths || [], (e) => e.id);
    verdict.cover(r.coverage);
    goesOn = r.ended == null;
    compared.refresh();
    const to = r.ended ?? (r.started ? Date.now() / 1000 : 0);
    if (!r.started) { fill(water.body, empty("Nobody told when this job began.")); return; }
    const edge = Math.max(0.5, (to - r.started) * 0.02);
    shown = { from: r.started - edge, to: to + edge };
    found.refresh();
    await water.load(async (still) => {
      const told = await pic.read(shown, { ...q, only: [r.started, to] });
      if (!still()) return;
      pic.draw(shown, null);
      water.cover(told.coverage);
    });
  });
  return {
    get every() { return goesOn ? () => 5 : null; },
    async refresh() { if (name) await Promise.all([readRuns(), readRun()]); },
    resize() { if (shown) pic.draw(shown, null); },
    keys: [
      ["ArrowLeft", "the run before", () => next(bars, -1)], ["ArrowRight", "the next run", () => next(bars, 1)],
      ["ArrowDown", "next bar", () => pic.lanes.step(1, false)], ["ArrowUp", "bar before", () => pic.lanes.step(-1, false)],
      ["]", "next death", () => pic.lanes.step(1, true)], ["[", "death before", () => pic.lanes.step(-1, true)],
      ["Enter", "open the bar", () => pic.lanes.focus && pic.lanes.open(pic.lanes.focus)],
      ["t", "this run in the timeline", () => shown && go(timelineOf(shown))],
    ],
  };
}

const timelineOf = (s) => href("/timeline", { from: new Date(s.from * 1000).toISOString(), to: new Date(s.to * 1000).toISOString() });
const length = (r) => (r.ended ?? Date.now() / 1000) - r.started;

function next(bars, by) {
  const list = [...bars.querySelectorAll("button")], at = list.findIndex((b) => b.getAttribute("aria-pressed") === "true");
  const to = list[Math.min(list.length - 1, Math.max(0, at + by))];
  if (to && to !== list[at]) to.click();
}

const withSteps = 8; // runs of which the steps are asked for

const stepsOfRun = new Map(); // of runs that have ended

// stepsOf asks for the steps of a run.
async function stepsOf(r) {
  if (stepsOfRun.has(r.run_id)) return stepsOfRun.get(r.run_id);
  const told = await ask("report", { job: r.job_id, host: r.host, run: r.run_id });
  if (r.ended != null) stepsOfRun.set(r.run_id, told.steps);
  return told.steps;
}

// column is a run as a column of steps, as high as it was long.
function column(r, longest, chosen) {
  const all = length(r), high = 110 * all / longest;
  const parts = (r.steps || []).filter((s) => s.started != null).map((s, i) => {
    const part = el("i", { class: "step" + (i % 2 ? " odd" : "") + (s.exit_code || s.signal_num != null ? " bad" : ""), title: `step ${s.sheet_num}: ${span((s.ended ?? r.ended ?? Date.now() / 1000) - s.started)}` });
    part.style.height = Math.max(1, high * ((s.ended ?? r.ended ?? Date.now() / 1000) - s.started) / all) + "px";
    return part;
  });
  if (!parts.length) {
    const part = el("i", { class: "step" });
    part.style.height = Math.max(2, high) + "px";
    parts.push(part);
  }
  return el("button", { type: "button", "aria-pressed": String(chosen), title: `${outcome(r)}, ${span(all)}, ${time(r.started)}`,
    onclick: () => change({ run: r.run }) }, el("span", { class: "stackof" }, parts), el("span", { class: outcomeClass(r) }, el("span", { class: "unseen" }, "run "), outcome(r)[0] + " " + r.run), el("small", {}, span(all)));
}

function summary(r) {
  const before = r.run_before ? ` Run ${r.run_before.run} before it: ${r.run_before.outcome}, ${span(r.run_before.wall_seconds)}.` : "";
  return el("div", {},
    el("p", { class: "verdict " + (outcomeClass(r) === "bad" ? "standing" : "well") }, (r.run ? `Run ${r.run}: ` : "") + outcome(r) + ", " + span(r.wall_seconds)),
    el("p", { class: "sum" }, `${time(r.started)} – ${r.ended == null ? "now" : time(r.ended)} on ${r.host || "the fleet"}.` + before),
    el("p", {}, `CPU ${span(r.total_cpu_seconds)}` + (r.cores_used == null ? "" : `, ${digits(r.cores_used)} of ${r.cpus || "?"} cores`) + ` · largest process ${size(r.peak_rss_mb)}` +
      (r.peak_together_mb == null || r.together_source === "largest" ? "" : `, all together ${size(r.peak_together_mb)}`) + ` · read ${size(r.read_mb)}, wrote ${size(r.write_mb)} · ${count(r.process_spawn_count)} starts, ${count(r.failed_count)} failed` +
      (r.lower_bound ? " · at least: not all of it is known" : "")),
    r.command ? el("p", { class: "command" }, r.command.slice(0, 400)) : null);
}

function steps(r) {
  if (!(r.steps || []).length) return null;
  const before = new Map(((r.run_before || {}).steps || []).map((s) => [s.sheet_num, s]));
  const t = table("Steps", [
    { title: "Step", num: true, get: (s) => s.sheet_num },
    { title: "Took", num: true, get: (s) => span(s.wall_seconds) },
    { title: "Before", num: true, get: (s) => (before.has(s.sheet_num) ? span(before.get(s.sheet_num).wall_seconds) : ""), cls: (s) => (before.has(s.sheet_num) && s.wall_seconds > 1.2 * before.get(s.sheet_num).wall_seconds ? "warn" : "") },
    { title: "CPU time", num: true, get: (s) => span(s.total_cpu_seconds) },
    { title: "Cores", num: true, get: (s) => digits(s.cores_used) },
    { title: "Largest process", num: true, get: (s) => size(s.peak_rss_mb) },
    { title: "Wrote", num: true, get: (s) => size(s.write_mb) },
    { title: "Starts", num: true, get: (s) => count(s.process_spawn_count) },
    { title: "Failed", num: true, get: (s) => count(s.failed_count), cls: (s) => (s.failed_count ? "bad" : "") },
    { title: "Exit", get: (s) => (s.oom_count ? "■ out of memory" : s.signal_num != null ? "▲ signal " + s.signal_num : s.exit_code == null ? "" : String(s.exit_code)), cls: (s) => (s.oom_count ? "oom" : s.exit_code || s.signal_num != null ? "bad" : "") },
  ]);
  t.update(r.steps, (s) => s.sheet_num);
  return t.root;
}

function advice(r) {
  const list = [...(r.advice || []).map((a) => el("li", {}, "! " + a.text)), ...(r.left || []).map((o) => el("li", {}, `left behind: ${program(o.process.command)} ${o.process.pid}, ${size(o.process.rss_mb)}`))];
  return list.length ? el("ul", {}, list) : null;
}

function deathTable() {
  return table("What ended badly", [
    { title: "Time", get: (e) => moment(e.timestamp), cls: () => "time" },
    { title: "What", get: ended, cls: (e) => (ended(e)[0] === "■" ? "oom" : "bad") },
    { title: "Who", get: (e) => program(e.command), link: (e) => href("/process", { host: e.host, pid: e.pid, start: e.start_ticks }) },
    { title: "PID", num: true, get: (e) => e.pid },
    { title: "Step", num: true, get: (e) => e.sheet_num ?? "" },
    { title: "Lived", num: true, get: (e) => span(e.lifetime_seconds) },
    { title: "Peak", num: true, get: (e) => size(e.peak_rss_mb) },
    { title: "Command", get: (e) => (e.command || "").slice(0, 300), cls: () => "command" },
  ], "Nothing ended badly.");
}

