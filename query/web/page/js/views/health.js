// Health: is the recording well, what is missing, what is not seen.

import { el, fill } from "../dom.js";
import { ask, askIf } from "../api.js";
import { href, param } from "../url.js";
import { panel, empty } from "../panel.js";
import { table } from "../table.js";
import { anomaliesPanel } from "../anomalies.js";
import { count, known, size, span, time } from "../format.js";

const words = { well: "✓ All is well", degraded: "◆ Degraded", standing: "✕ The recording stands" };

export function health(main) {
  const verdict = panel("Is the recording well", "The judgement of proctape status, and what to do about it.");
  const balance = panel("The balance", "All that was produced is stored, quarantined, missing or on its way. Missing is never hidden.");
  const streams = panel("How far the log is projected", "The database is made from the log. Behind says how many messages are still to come.");
  const gaps = panel("What is missing", "Each gap of the last 24 hours: when, of which kind, how much.");
  const seen = panel("What is not seen", "What a machine's sampler cannot observe, and why what it records is not all.");
  const found = anomaliesPanel("Anomalies", "What rules found in the last 24 hours, and what goes on. A time opens the episode in the timeline.", () => ({ host: param("host"), since: "-24h" }), "No rule found anything in the last 24 hours.");
  const b = table("Balance", [
    { title: "Host", get: (h) => h.host },
    { title: "Produced", num: true, get: (h) => count(h.produced) },
    { title: "Stored", num: true, get: (h) => count(h.stored) },
    { title: "Quarantined", num: true, get: (h) => count(h.quarantined), cls: (h) => (h.quarantined ? "warn" : "") },
    { title: "Missing", num: true, get: (h) => count(h.missing), cls: (h) => (h.missing ? "bad" : "") },
    { title: "On their way", num: true, get: (h) => count((h.in_flight ?? h.not_come) + (h.waiting || 0)) },
    { title: "Twice", num: true, get: (h) => count(h.duplicates) },
    { title: "Known, 1 h", num: true, get: (h) => known(h.known) },
    { title: "Newest", get: (h) => time(h.last_time), cls: () => "time" },
  ], "No host is recorded yet.");
  const s = table("Streams", [
    { title: "Stream", get: (x) => x.stream },
    { title: "Projected", num: true, get: (x) => count(x.seq) },
    { title: "In the log", num: true, get: (x) => count(x.last_seq) },
    { title: "Behind", num: true, get: (x) => (x.last_seq == null ? "?" : count(x.last_seq - x.seq)), cls: (x) => (x.last_seq - x.seq > 1000 ? "warn" : "") },
    { title: "Size", num: true, get: (x) => size(x.bytes == null ? null : x.bytes / 1048576) },
  ], "Nothing is known of the log.");
  const g = table("Gaps", [
    { title: "From", get: (x) => time(x.from_time ?? x.timestamp), cls: () => "time" },
    { title: "Length", num: true, get: (x) => (x.from_time == null || x.to_time == null ? "" : span(x.to_time - x.from_time)) },
    { title: "Kind", get: (x) => "▨ " + x.kind.replaceAll("_", " ") },
    { title: "Host", get: (x) => x.host },
    { title: "How many", num: true, get: (x) => count(x.count) },
    { title: "Runs in that time", get: runsIn },
    { title: "Details", get: (x) => x.details, cls: () => "command" },
  ], "No gap in the last 24 hours.");
  balance.body.append(b.root);
  streams.body.append(s.root);
  gaps.body.append(g.root);
  fill(main, el("h1", { class: "unseen" }, "Health"), verdict.root, balance.root, gaps.root, found.root, seen.root, streams.root);

  const readStatus = () => verdict.load(async (current) => {
    const status = await askIf("status");
    if (!current()) return;
    streams.root.hidden = !status;
    if (!status) { fill(verdict.body, empty("Nobody judges here: this server answers from a database alone.")); return; }
    fill(verdict.body, el("p", { class: "verdict " + status.verdict }, words[status.verdict] || status.verdict),
      (status.troubles || []).length ? el("ul", {}, status.troubles.map((t) => el("li", {}, t.level + ": ", t.text, t.about ? " (" + t.about + ")" : "", t.since ? " since " + time(t.since) : ""))) : null,
      el("p", { class: "sum" }, `Database ${size(status.database_bytes / 1048576)}.` + proof(status.proof)));
    s.update(status.streams || [], (x) => x.stream);
  });
  const readBalance = () => balance.load(async (current) => {
    const list = await ask("hosts");
    if (!current()) return;
    const known = new Map((list.coverage || []).map((c) => [c.host, c]));
    const rows = list.items.filter((h) => !param("host") || h.host === param("host"));
    b.update(rows.map((h) => ({ ...h, known: known.get(h.host)?.coverage_percent })), (h) => h.host);
    fill(seen.body, rows.map((h) => el("div", {}, el("h3", {}, h.host), reasons(known.get(h.host)), el("p", { class: "sum" }, "Sees: " + ((h.capabilities || []).join(", ") || "not told").replaceAll("_", " ") + "."))));
  });
  const readGaps = () => gaps.load(async (current) => {
    const list = await ask("gaps", { host: param("host"), since: "-24h", limit: 200 });
    if (!current()) return;
    const { runs } = list.items.length ? await ask("lanes", { host: param("host"), since: "-24h", until: Date.now() / 1000, px: 100 }) : { runs: [] };
    if (!current()) return;
    for (const x of list.items) x.runs = runs.filter((r) => (!r.host || r.host === x.host) && x.from_time != null && r.started <= (x.to_time ?? x.timestamp) && (r.ended ?? Infinity) >= x.from_time);
    g.update(list.items.reverse(), (x) => x.timestamp + x.kind + x.host + x.stream + x.from_time);
    gaps.cover(list.coverage);
  });
  return { every: () => 5, async refresh() { await Promise.all([readStatus(), readBalance(), readGaps(), found.refresh()]); } };
}

// runsIn are links to the runs of which something is missing with a gap.
function runsIn(gap) {
  const shown = gap.runs.slice(0, 5).map((r) => el("a", { href: href("/job", { name: r.job_id, host: r.host, run: r.run }) }, r.job_id.slice(0, 60) + " " + (r.run ?? "")));
  return el("span", {}, shown.flatMap((a, i) => (i ? [", ", a] : [a])), gap.runs.length > shown.length && `, ${gap.runs.length - shown.length} more`);
}

function proof(p) {
  if (!p) return "";
  if (p.failed) return " Its proof failed: " + p.failed + ".";
  return p.proven_until ? ` What is older than ${time(p.proven_until)} is proven to be what was stored.` : " Nothing is proven yet.";
}

function reasons(cover) {
  if (!cover || !(cover.reasons || []).length) return el("p", {}, "✓ Nothing is known to be missing of the last hour.");
  return el("ul", {}, cover.reasons.map((r) => el("li", {}, "▨ ", r.kind.replaceAll("_", " "), r.data ? " — of " + r.data.join(", ").replaceAll("_", " ") : "",
    r.seconds ? ", " + span(r.seconds) : "", r.count != null ? ", " + count(r.count) + (r.of != null ? " of " + count(r.of) : "") : "", r.detail ? ": " + r.detail : "")));
}

