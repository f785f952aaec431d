#!/usr/bin/env python3
"""Decodes messages of proctape's log, which docs/wire.md describes, and prints each as a line of JSON.

    decode.py FILE...     each the payload of a message, without compression

It needs Python 3.8 and nothing else. What a later version appended is passed over.
"""
import json
import os
import struct
import sys


class MessagePack:
    """Reads nil, booleans, integers, strings, byte strings and arrays: all that a message has."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if n > len(self.data) - self.at:
            raise ValueError("byte %d: want %d bytes, %d are left" % (self.at, n, len(self.data) - self.at))
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, code):
        return struct.unpack(">" + code, self.take(struct.calcsize(code)))[0]

    def value(self, depth=0):
        head = self.number("B")
        if head <= 0x7f:
            return head
        if head >= 0xe0:
            return head - 0x100
        if 0xa0 <= head <= 0xbf:
            return self.take(head & 0x1f).decode()
        if 0x90 <= head <= 0x9f:
            return self.array(head & 0x0f, depth)
        if head in (0xc0, 0xc2, 0xc3):
            return {0xc0: None, 0xc2: False, 0xc3: True}[head]
        if 0xcc <= head <= 0xd3:  # uint8 to uint64, int8 to int64
            return self.number("BHIQbhiq"[head - 0xcc])
        if 0xc4 <= head <= 0xc6:  # byte strings
            return self.take(self.number("BHI"[head - 0xc4]))
        if 0xd9 <= head <= 0xdb:  # strings
            return self.take(self.number("BHI"[head - 0xd9])).decode()
        if head in (0xdc, 0xdd):
            return self.array(self.number("HI"[head - 0xdc]), depth)
        raise ValueError("byte %d: 0x%02x begins no value that a message has" % (self.at - 1, head))

    def array(self, n, depth):
        if depth == 16 or n > len(self.data) - self.at:
            raise ValueError("byte %d: array of %d elements" % (self.at, n))
        return [self.value(depth + 1) for _ in range(n)]


class Varints:
    """Reads the numbers of a column: seven bits a byte, the lowest first."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def next(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]  # IndexError where a column ends early
            self.at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value


def raw_numbers(mode, r, n):
    if n == 0:
        return []
    if mode == 0:  # constant
        return [r.next()] * n
    if mode == 1:  # plain
        return [r.next() for _ in range(n)]
    values = []
    if mode == 2:  # delta
        before = 0
        for _ in range(n):
            zigzag = r.next()
            before += (zigzag >> 1) ^ -(zigzag & 1)
            values.append(before)
    elif mode == 3:  # rising
        before = -1
        for _ in range(n):
            before += r.next() + 1
            values.append(before)
    elif mode == 4:  # sparse
        values = [r.next()] * n
        at = -1
        for _ in range(r.next()):
            at += r.next() + 1
            values[at] = r.next()
    elif mode == 5:  # runs
        while len(values) < n:
            length = r.next() + 1
            values += [r.next()] * length
    else:
        raise ValueError("mode %d is none" % mode)
    return values


def numbers(data, n, nullable):
    """Returns the n values of a column; None for one that is unknown."""
    if data is None:
        return [None] * n
    r = Varints(data[1:])
    values = raw_numbers(data[0] & 0x7f, r, n)
    if len(values) != n or r.at != len(r.data):
        raise ValueError("a column of %d values for %d processes, %d bytes of %d" % (len(values), n, r.at, len(r.data)))
    factor = 4 if data[0] & 0x80 else 1
    if nullable:
        return [None if v == 0 else (v - 1) * factor for v in values]
    return [v * factor for v in values]


def texts(column, n):
    """Returns the n texts of a column."""
    count, table, indices = column[:3]
    r = Varints(table)
    lengths = [r.next() for _ in range(count)]
    table, at, distinct = table[r.at:], 0, []
    for length in lengths:
        distinct.append(table[at:at + length].decode())
        at += length
    return [distinct[i] for i in numbers(indices, n, False)]


# The columns of processes, by number. columns.json is made from the table of metrics.
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "columns.json"), encoding="utf-8") as file:
    COLUMNS = json.load(file)


def column(c, data, n):
    if c["kind"] == "text":
        return texts(data, n)
    values = numbers(data, n, c["nullable"])
    if c["kind"] == "flag":
        return [v == 1 for v in values]
    return [chr(v) for v in values] if c["kind"] == "letter" else values


def processes(columns, calls):
    n = columns[0]
    rows = [{} for _ in range(n)]
    for c in COLUMNS if n else []:
        data = columns[1 + c["number"]] if 1 + c["number"] < len(columns) else None
        for row, value in zip(rows, column(c, data, n)):
            row[c["name"]] = value
    for row in rows:
        row["syscalls"] = None
    for row, *call in calls or []:
        rows[row]["syscalls"] = (rows[row]["syscalls"] or []) + [dict(zip(("name", "count", "time_pct_x100"), call))]
    return rows


# The fields of records, in their order. field:record is a record of its own, field[]record a list of them.
RECORDS = {name: fields.split() for name, fields in {
    "envelope": "v kind host boot_id instance:hex seq wall_ns boot_ns produced dropped[]drop body acked ended[]end began_ns",
    "drop": "reason count",
    "end": "instance:hex boot_id wall_ns boot_ns final produced acked dropped[]drop reached[]reached",
    "reached": "kind seq",
    "snapshot": "interval_ns tick daemon_pid daemon_rss_kib recorder_uptime_ns cpus memory_total_kib memory_available_kib load_x100 "
                "pressure:pressure pressure_level partial hidden capabilities running_jobs active_sheets job_progress[]job_progress "
                "gpus[]gpu processes syscalls host_values:host_values",
    "pressure": "cpu_some_x100 memory_some_x100 memory_full_x100 io_some_x100 io_full_x100",
    "host_values": "unknown hugetlb_total_kib hugetlb_free_kib group_limit_kib group_used_kib group_cpu_permille forks",
    "job_progress": "job_id total_sheets last_completed_sheet current_sheet status fleet",
    "gpu": "index utilization_x10 memory_used_kib memory_total_kib temperature_x10",
    "events": "wall_ns boot_ns pid ppid start_ticks uid command job_id sheet_num exit_code signal_num core cpu_ms peak_rss_kib read_kib "
              "write_kib lifetime_ms source details sampled_cpu_ms fleet within_ms system_cpu_ms",
    "execs": "wall_ns boot_ns pid start_ticks uid command job_id sheet_num source fleet",
    "gaps": "kind count from_wall_ns to_wall_ns details",
    "jobs": "type wall_ns job_id sheet_num total_sheets last_completed_sheet status pid start_ticks exit_code command details supervisor "
            "own_events uid run:hex join signal_num totals:totals inferred since_ns",
    "totals": "cpu_us cpu_source peak_rss_kib peak_source group_peak_kib read_kib write_kib io_source pids_peak processes system_cpu_us",
    "rollup": "minute_ns samples covers[]cover interval_ns daemon_pid daemon_rss_kib cpus memory_total_kib memory_used_kib:spread "
              "load1_x100:spread load5_x100 load15_x100 cpu_permille:spread process_count zombie_count pressure_level running_jobs "
              "active_sheets partial gpus[]gpu processes[]process_rollup",
    "run": "job_id run:hex number started_ns ended_ns since_ns inferred exit_code signal_num details status command total_sheets "
           "last_completed_sheet last_event_ns totals:totals steps[]step lower_bound",
    "step": "sheet_num started_ns ended_ns exit_code signal_num status totals:totals",
    "anomaly": "rule rule_digest severity about:subject started_ns noticed_ns peaked_ns last_seen_ns ended_ns end_reason metric first_x1000 "
               "peak_x1000 last_x1000 threshold_x1000 values[]value samples description labels[]label",
    "subject": "kind pid start_ticks command cgroup job_id fleet run:hex sheet_num gpu",
    "value": "name x1000",
    "label": "name value",
    "cover": "instance:hex first_seq last_seq",
    "spread": "samples sum max p95 top",
    "process_rollup": "pid ppid start_ticks boot_id uid command job_id sheet_num samples last_boot_ns spreads lasts fleet",
}.items()}

BODIES = {"snapshot": "snapshot", "event.exec": "execs", "event.gap": "gaps", "job": "jobs", "rollup": "rollup", "run": "run"}


def record(name, values):
    """Returns a record by its fields' names. A tail that is missing is unknown; one that is surplus is passed over."""
    out = {}
    for i, field in enumerate(RECORDS[name]):
        value = values[i] if i < len(values) else None
        if "[]" in field:
            field, of = field.split("[]")
            value = [record(of, v) for v in value or []]
        elif ":" in field:
            field, of = field.split(":")
            if of == "hex":
                value = value and value.hex()
            elif value is not None:
                value = record(of, value)
        out[field] = value
    return out


def by_number(pairs):
    return dict(zip(pairs[::2], pairs[1::2]))


def message(data):
    reader = MessagePack(data)
    m = record("envelope", reader.value())
    if m["v"] != 2:
        raise ValueError("version %r is not 2" % m["v"])
    if reader.at != len(data):
        raise ValueError("%d bytes follow the message" % (len(data) - reader.at))
    body = m.pop("body")
    name = "anomaly" if m["kind"].startswith("anomaly.") else BODIES.get(m["kind"], "events")
    if name not in ("snapshot", "rollup", "run", "anomaly"):
        m[name] = [record(name, r) for r in body]
        return m
    m[name] = record(name, body)
    if name == "snapshot":
        m[name]["processes"] = processes(m[name]["processes"] or [0], m[name].pop("syscalls"))
        return m
    for p in m[name].get("processes", []):
        spreads, lasts = by_number(p.pop("spreads")), by_number(p.pop("lasts"))
        for c in COLUMNS:
            if c["rollup"] == "spread":
                p[c["name"]] = record("spread", spreads.get(c["number"]) or [])
            elif c["rollup"] == "last":
                p[c["name"]] = lasts.get(c["number"])
        p["state"] = chr(p["state"]) if p["state"] else ""
    return m


if __name__ == "__main__":
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            print(json.dumps(message(file.read()), ensure_ascii=False))
