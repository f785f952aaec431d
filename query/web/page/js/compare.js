// What differs: runs of a job from others, or a time from the time before it.

import { el, fill } from "./dom.js";
import { ask } from "./api.js";
import { panel, empty } from "./panel.js";
import { table } from "./table.js";
import { digits } from "./format.js";

const marks = { more: "▲ more", less: "▼ less", same: "same", "not clear": "? not clear", "not known": "not known" };
const worse = (f) => (f.verdict === "more" ? "warn" : "");

// spread is the median of a side, and how far its values lie apart.
function spread(s) {
  if (s.median == null) return "–";
  return s.n > 1 ? `${digits(s.median)} (${digits(s.min)}–${digits(s.max)})` : digits(s.median);
}

const change = (f) => (f.relative_change != null ? (f.relative_change > 0 ? "+" : "") + digits(100 * f.relative_change) + " %" : f.change == null ? "–" : (f.change > 0 ? "+" : "") + digits(f.change));
const names = { peak_rss: "peak", write: "written", duration: "time" };

// figures are the columns that all comparisons have, behind what a line is about.
const figures = [
  { title: "Figure", get: (f) => `${names[f.name] || f.name} ${f.unit}`.trim() },
  { title: "Verdict", get: (f) => marks[f.verdict] || f.verdict, cls: worse },
  { title: "Change", num: true, get: change },
  { title: "Before", num: true, get: (f) => spread(f.against) },
  { title: "Now", num: true, get: (f) => spread(f.runs) },
  { title: "Why", get: (f) => [f.p == null ? "" : `p ${f.p < 0.001 ? "< 0.001" : f.p.toFixed(3)}`, f.note || ""].filter(Boolean).join("; ") },
];

const notes = (told) => told.notes.map((n) => el("p", { class: "sum" }, n));

// runsPanel compares runs of a job. question() is what is compared, without a run it is nothing yet.
export function runsPanel(question, ...tools) {
  const p = panel("Compared", "The run beside those before it, or beside one of them: what changed, and whether the runs' own spread explains it.", ...tools);
  const t = table("Compared", [{ title: "Of", get: (f) => (f.step == null ? "the run" : "step " + f.step) }, ...figures], "There is nothing to compare.");
  p.refresh = () => p.load(async (current) => {
    const q = question();
    if (!q) { fill(p.body, empty("A run is compared when it has ended.")); return; }
    const told = await ask("compare", q);
    if (!current()) return;
    t.update([...told.figures, ...told.steps.flatMap((s) => s.figures.map((f) => ({ ...f, step: s.sheet_num })))], (f) => f.step + "/" + f.name);
    const side = (s) => s.runs.map((r) => r.run + (r.failed ? " (failed)" : "")).join(", ");
    fill(p.body, el("p", { class: "sum" }, `Now: run ${side(told.runs)}. Before: run ${side(told.against)}.`), t.root, notes(told));
    p.cover([...told.runs.runs, ...told.against.runs].flatMap((r) => r.coverage));
  });
  return p;
}

const about = (d) => d.by === "all" ? "all processes" : d.by + " " + (d.key || (d.by === "job" ? "(of no job)" : "(not known)"));

// timesPanel compares the range of range() with the stretch right before it.
export function timesPanel(range, fixed) {
  const p = panel("What differs", "The selection beside the time right before it: which commands, users, jobs, steps and reasons of ends changed most.");
  const t = table("What differs", [{ title: "Of", get: about, cls: () => "who" }, ...figures], "Nothing was used in either.");
  p.refresh = () => p.load(async (current) => {
    const told = await ask("compare", { ...range(), ...fixed(), limit: 12 });
    if (!current()) return;
    t.update(told.differences, (d) => d.by + "/" + d.key + "/" + d.name);
    fill(p.body, t.root, el("p", { class: "sum" }, `${told.slices} slices a side; ${told.compared} figures were compared.`), notes(told));
    p.cover([...told.window.coverage, ...told.against.coverage]);
  });
  return p;
}
