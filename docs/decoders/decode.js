#!/usr/bin/env node
// Decodes a message of proctape's log, which docs/wire.md describes, and prints it as JSON.
//
//     decode.js FILE        the payload of a message, without compression
//
// It needs Node 16 and no packages. What a later version appended is passed over. Integers above 2^53 are BigInts.
"use strict";
const fs = require("fs");
const path = require("path");

// MessagePack reads nil, booleans, integers, strings, byte strings and arrays: all that a message has.
class MessagePack {
  constructor(data) { this.data = data; this.at = 0; }

  take(n) {
    if (n > this.data.length - this.at) throw new Error(`byte ${this.at}: want ${n} bytes, ${this.data.length - this.at} are left`);
    this.at += n;
    return this.data.subarray(this.at - n, this.at);
  }

  unsigned(size) {
    const b = this.take(size);
    return size === 8 ? small(b.readBigUInt64BE()) : b.readUIntBE(0, size);
  }

  signed(size) {
    const b = this.take(size);
    return size === 8 ? small(b.readBigInt64BE()) : b.readIntBE(0, size);
  }

  value(depth = 0) {
    const head = this.unsigned(1);
    if (head <= 0x7f) return head;
    if (head >= 0xe0) return head - 0x100;
    if (head >= 0xa0 && head <= 0xbf) return this.take(head & 0x1f).toString();
    if (head >= 0x90 && head <= 0x9f) return this.array(head & 0x0f, depth);
    if (head === 0xc0) return null;
    if (head === 0xc2 || head === 0xc3) return head === 0xc3;
    if (head >= 0xcc && head <= 0xcf) return this.unsigned(1 << (head - 0xcc));
    if (head >= 0xd0 && head <= 0xd3) return this.signed(1 << (head - 0xd0));
    if (head >= 0xc4 && head <= 0xc6) return this.take(this.unsigned(1 << (head - 0xc4)));
    if (head >= 0xd9 && head <= 0xdb) return this.take(this.unsigned(1 << (head - 0xd9))).toString();
    if (head === 0xdc || head === 0xdd) return this.array(this.unsigned(head === 0xdc ? 2 : 4), depth);
    throw new Error(`byte ${this.at - 1}: 0x${head.toString(16)} begins no value that a message has`);
  }

  array(n, depth) {
    if (depth === 16 || n > this.data.length - this.at) throw new Error(`byte ${this.at}: array of ${n} elements`);
    const values = [];
    while (values.length < n) values.push(this.value(depth + 1));
    return values;
  }
}

const small = (big) => (big >= Number.MIN_SAFE_INTEGER && big <= Number.MAX_SAFE_INTEGER ? Number(big) : big);

// Varints reads the numbers of a column: seven bits a byte, the lowest first. None is above 2^53.
class Varints {
  constructor(data) { this.data = data; this.at = 0; }

  next() {
    for (let value = 0, factor = 1; ; factor *= 128) {
      if (this.at === this.data.length) throw new Error("a column ends before its last value");
      const byte = this.data[this.at++];
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }
}

// The modes of a column: constant, plain, delta, rising, sparse, runs.
const modes = [
  (r, n) => Array(n).fill(r.next()),
  (r, n) => Array.from({ length: n }, () => r.next()),
  (r, n) => {
    let before = 0;
    return Array.from({ length: n }, () => {
      const zigzag = r.next();
      return (before += zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2);
    });
  },
  (r, n) => {
    let before = -1;
    return Array.from({ length: n }, () => (before += r.next() + 1));
  },
  (r, n) => {
    const values = Array(n).fill(r.next());
    let at = -1;
    for (let others = r.next(); others > 0; others--) {
      at += r.next() + 1;
      values[at] = r.next();
    }
    return values;
  },
  (r, n) => {
    const values = [];
    while (values.length < n) {
      const length = r.next() + 1;
      if (length > n - values.length) throw new Error(`a run of ${length} values, where ${n - values.length} are left`);
      const value = r.next();
      for (let i = 0; i < length; i++) values.push(value);
    }
    return values;
  },
];

// numbers returns the n values of a column; null for one that is unknown.
function numbers(data, n, nullable) {
  if (data === null || data === undefined) return Array(n).fill(null);
  const mode = modes[data[0] & 0x7f];
  if (!mode) throw new Error(`mode ${data[0] & 0x7f} is none`);
  const r = new Varints(data.subarray(1));
  const values = mode(r, n);
  if (values.length !== n || r.at !== r.data.length) throw new Error(`a column of ${values.length} values for ${n} processes`);
  const factor = data[0] & 0x80 ? 4 : 1;
  return values.map((v) => (!nullable ? v * factor : v === 0 ? null : (v - 1) * factor));
}

// texts returns the n texts of a column.
function texts([count, table, indices], n) {
  const r = new Varints(table);
  const lengths = Array.from({ length: count }, () => r.next());
  let at = r.at;
  const distinct = lengths.map((length) => table.subarray(at, (at += length)).toString());
  return numbers(indices, n, false).map((i) => distinct[i]);
}

// The columns of processes, by number. columns.json is made from the table of metrics.
const columns = JSON.parse(fs.readFileSync(path.join(__dirname, "columns.json"), "utf8"));

function column(c, data, n) {
  if (c.kind === "text") return texts(data, n);
  const values = numbers(data, n, c.nullable);
  if (c.kind === "flag") return values.map((v) => v === 1);
  return c.kind === "letter" ? values.map((v) => String.fromCharCode(v)) : values;
}

function processes([n, ...data], calls) {
  const rows = Array.from({ length: n }, () => ({}));
  for (const c of n ? columns : []) {
    column(c, data[c.number], n).forEach((value, row) => (rows[row][c.name] = value));
  }
  for (const row of rows) row.syscalls = null;
  for (const [row, name, count, time] of calls || []) {
    rows[row].syscalls = [...(rows[row].syscalls || []), { name, count, time_pct_x100: time }];
  }
  return rows;
}

// The fields of records, in their order. field:record is a record of its own, field[]record a list of them.
const records = {
  envelope: "v kind host boot_id instance:hex seq wall_ns boot_ns produced dropped[]drop body acked ended[]end began_ns",
  drop: "reason count",
  end: "instance:hex boot_id wall_ns boot_ns final produced acked dropped[]drop reached[]reached",
  reached: "kind seq",
  snapshot: "interval_ns tick daemon_pid daemon_rss_kib recorder_uptime_ns cpus memory_total_kib memory_available_kib load_x100 " +
    "pressure:pressure pressure_level partial hidden capabilities running_jobs active_sheets job_progress[]job_progress gpus[]gpu processes syscalls " +
    "host_values:host_values",
  pressure: "cpu_some_x100 memory_some_x100 memory_full_x100 io_some_x100 io_full_x100",
  host_values: "unknown hugetlb_total_kib hugetlb_free_kib group_limit_kib group_used_kib group_cpu_permille forks",
  job_progress: "job_id total_sheets last_completed_sheet current_sheet status fleet",
  gpu: "index utilization_x10 memory_used_kib memory_total_kib temperature_x10",
  events: "wall_ns boot_ns pid ppid start_ticks uid command job_id sheet_num exit_code signal_num core cpu_ms peak_rss_kib read_kib write_kib " +
    "lifetime_ms source details sampled_cpu_ms fleet within_ms system_cpu_ms",
  execs: "wall_ns boot_ns pid start_ticks uid command job_id sheet_num source fleet",
  gaps: "kind count from_wall_ns to_wall_ns details",
  jobs: "type wall_ns job_id sheet_num total_sheets last_completed_sheet status pid start_ticks exit_code command details supervisor own_events uid " +
    "run:hex join signal_num totals:totals inferred since_ns",
  totals: "cpu_us cpu_source peak_rss_kib peak_source group_peak_kib read_kib write_kib io_source pids_peak processes system_cpu_us",
  rollup: "minute_ns samples covers[]cover interval_ns daemon_pid daemon_rss_kib cpus memory_total_kib memory_used_kib:spread load1_x100:spread " +
    "load5_x100 load15_x100 cpu_permille:spread process_count zombie_count pressure_level running_jobs active_sheets partial gpus[]gpu " +
    "processes[]process_rollup",
  run: "job_id run:hex number started_ns ended_ns since_ns inferred exit_code signal_num details status command total_sheets " +
    "last_completed_sheet last_event_ns totals:totals steps[]step lower_bound",
  step: "sheet_num started_ns ended_ns exit_code signal_num status totals:totals",
  anomaly: "rule rule_digest severity about:subject started_ns noticed_ns peaked_ns last_seen_ns ended_ns end_reason metric first_x1000 " +
    "peak_x1000 last_x1000 threshold_x1000 values[]value samples description labels[]label",
  subject: "kind pid start_ticks command cgroup job_id fleet run:hex sheet_num gpu",
  value: "name x1000",
  label: "name value",
  cover: "instance:hex first_seq last_seq",
  spread: "samples sum max p95 top",
  process_rollup: "pid ppid start_ticks boot_id uid command job_id sheet_num samples last_boot_ns spreads lasts fleet",
};

// record returns a record by its fields' names. A tail that is missing is unknown; one that is surplus is passed over.
function record(name, values) {
  const out = {};
  records[name].split(" ").forEach((field, i) => {
    const value = values[i] === undefined ? null : values[i];
    const [key, of] = field.split(/:|\[\]/);
    if (field.includes("[]")) out[key] = (value || []).map((v) => record(of, v));
    else if (of === "hex") out[key] = value && value.toString("hex");
    else out[key] = of && value ? record(of, value) : value;
  });
  return out;
}

const bodies = { snapshot: "snapshot", "event.exec": "execs", "event.gap": "gaps", job: "jobs", rollup: "rollup", run: "run" };

function message(data) {
  const reader = new MessagePack(data);
  const { body, ...m } = record("envelope", reader.value());
  if (m.v !== 2) throw new Error(`version ${m.v} is not 2`);
  if (reader.at !== data.length) throw new Error(`${data.length - reader.at} bytes follow the message`);
  const name = m.kind.startsWith("anomaly.") ? "anomaly" : bodies[m.kind] || "events";
  if (!["snapshot", "rollup", "run", "anomaly"].includes(name)) return { ...m, [name]: body.map((r) => record(name, r)) };
  m[name] = record(name, body);
  if (name === "snapshot") {
    m.snapshot.processes = processes(m.snapshot.processes || [0], m.snapshot.syscalls);
    delete m.snapshot.syscalls;
    return m;
  }
  for (const p of m[name].processes || []) byMetric(p);
  return m;
}

// byMetric gives a process of a rollup its metrics, which stand in two lists of number, value, number, value.
function byMetric(p) {
  const { spreads, lasts } = p;
  delete p.spreads;
  delete p.lasts;
  const find = (list, number) => { for (let i = 0; i < list.length; i += 2) if (list[i] === number) return list[i + 1]; };
  for (const c of columns) {
    if (c.rollup === "spread") p[c.name] = record("spread", find(spreads, c.number) || []);
    if (c.rollup === "last") p[c.name] = find(lasts, c.number) ?? null;
  }
  p.state = p.state ? String.fromCharCode(p.state) : "";
}

// toJSON is JSON.stringify, with BigInts as the integers that they are.
function toJSON(v) {
  if (typeof v === "bigint") return v.toString();
  if (Array.isArray(v)) return `[${v.map(toJSON).join(",")}]`;
  if (v && typeof v === "object") return `{${Object.entries(v).map(([k, e]) => `${JSON.stringify(k)}:${toJSON(e)}`).join(",")}}`;
  return JSON.stringify(v);
}

if (require.main === module) for (const path of process.argv.slice(2)) console.log(toJSON(message(fs.readFileSync(path))));
module.exports = { message };
