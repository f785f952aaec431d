// Who used most: one panel for a time or a range, in any grouping.

import { el, setText } from "./dom.js";
import { ask } from "./api.js";
import { change, href, param } from "./url.js";
import { panel } from "./panel.js";
import { table } from "./table.js";
import { markOf } from "./anomalies.js";
import { count, digits, percent, program, size, span } from "./format.js";

const groupings = ["process", "command", "user", "job", "parent", "cgroup", "host"];
const orders = { cpu: "CPU", mem: "memory", io: "I/O", net: "network", forks: "starts", growth: "growth", faults: "faults" };

const nameOf = (r) => (r.process ? r.process.command || r.key : r.key) || "none";

// topPanel makes the panel. range() is {at} or {since, until}; fixed are parameters that each question has; found(row) is the severity of what rules
// found of a row.
export function topPanel(title, explains, range, fixed = {}, found = () => "") {
  const pick = (name, options, text) => {
    const s = el("select", {}, Object.entries(options).map(([value, shown]) => el("option", { value, selected: value === (param(name) || Object.keys(options)[0]) }, shown)));
    s.addEventListener("change", () => { change({ [name]: s.value }, { replace: true, quiet: true }); p.refresh(); });
    return el("label", {}, text + " ", s);
  };
  const p = panel(title, explains, pick("by", Object.fromEntries(groupings.map((g) => [g, g])), "by"), pick("sort", orders, "most"));
  const rate = () => range().at != null || range().since == null;
  const t = table(title, [
    { title: "Anomaly", get: (r) => markOf(found(r)) },
    { title: "Who", get: (r) => (r.process && param("by") !== "parent" ? program(nameOf(r)) : nameOf(r).slice(0, 120)), link: (r) => linkOf(r), cls: () => "who" },
    { title: "PID", num: true, get: (r) => (r.process ? r.process.pid : "") },
    { title: "Host", get: (r) => r.host || "" },
    { title: "CPU", num: true, get: (r) => percent(r.cpu_percent) },
    { title: "CPU time", num: true, get: (r) => (rate() ? "" : span(r.cpu_seconds)) },
    { title: "Memory", num: true, get: (r) => (r.process ? "" : "≤ ") + size(r.rss_mb) },
    { title: "Growth", num: true, get: (r) => (rate() ? "" : (r.growth_mb > 0 ? "+" : "") + size(r.growth_mb)) },
    { title: "Read", num: true, get: (r) => size(r.read_mb) },
    { title: "Wrote", num: true, get: (r) => size(r.write_mb) },
    { title: "Sent", num: true, get: (r) => size(r.sent_mb) },
    { title: "Received", num: true, get: (r) => size(r.received_mb) },
    { title: "Starts", num: true, get: (r) => (rate() ? "" : count(r.forks)) },
    { title: "Job", get: (r) => (r.process && r.process.job_id ? r.process.job_id + (r.process.sheet_num == null ? "" : " · " + r.process.sheet_num) : ""), link: (r) => r.process && r.process.job_id && href("/job", { name: r.process.job_id, host: r.host }) },
    { title: "Command", get: (r) => (r.process ? (r.process.command || "").slice(0, 300) : ""), cls: () => "command" },
  ], "No process matches.");
  const sum = el("p", { class: "sum" });
  p.body.append(t.root, sum);
  p.refresh = () => p.load(async (current) => {
    const top = await ask("top", { ...range(), ...fixed, host: param("host"), by: param("by"), sort: param("sort"), limit: 25 });
    if (!current()) return;
    p.rows = top.rows;
    const network = top.rows.some((r) => r.sent_mb != null || r.received_mb != null);
    t.show({ Anomaly: top.rows.some(found), Sent: network, Received: network, "CPU time": !rate(), Growth: !rate(), Starts: !rate(), Host: new Set(top.rows.map((r) => r.host)).size > 1, PID: top.rows.some((r) => r.process), Command: top.rows.some((r) => r.process), Job: top.rows.some((r) => r.process && r.process.job_id) });
    t.update(top.rows, (r) => r.host + "/" + (r.process ? r.process.pid + "/" + r.process.start_ticks : r.key));
    setText(sum, top.rows.length < top.lines ? `${top.rows.length} of ${count(top.lines)} lines. All together: CPU ${rate() ? digits(100 * top.all.cpu_seconds / Math.max(1e-9, top.to_time - top.from_time)) + " %" : span(top.all.cpu_seconds)}, ${count(top.all.process_count)} processes.` : "");
    p.cover(top.coverage);
  });
  return p;
}

// inWords says who used most CPU of a range, in a few words.
export function inWords(rows) {
  return (rows || []).slice(0, 3).map((r) => (r.process ? program(nameOf(r)) + " " + r.process.pid : nameOf(r).slice(0, 60)) + ", CPU " + span(r.cpu_seconds) + ", " + size(r.rss_mb)).join("; ");
}

function linkOf(r) {
  if (r.process && param("by") !== "parent") return href("/process", { host: r.host, pid: r.process.pid, start: r.process.start_ticks });
  if (param("by") === "job" && r.key && r.key !== "none") return href("/job", { name: r.key, host: r.host });
  return null;
}
