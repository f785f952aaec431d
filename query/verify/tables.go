package verify

import (
	"strings"

	"github.com/proctape/proctape/schema/metric"
)

// hashedTable is a table and the query that reads its rows by what names them for good. The first column is the host, the
// second a Unix time or NULL; the rest is hashed.
type hashedTable struct{ table, query string }

// totals are the columns of what a run, or a step of one, used.
const totals = `cpu_us, cpu_source, peak_rss_kib, peak_source, group_peak_kib, read_kib, write_kib, io_source, pids_peak, processes, system_cpu_us`

// hashedTables are the tables whose content is compared.
var hashedTables = []hashedTable{
	{"snapshots", `SELECT h.name, s.timestamp, s.instance, s.seq, s.wall_ns, s.boot_ns, s.boot_id, s.tick, s.interval_ns, s.daemon_pid,
		s.system_memory_total_mb, s.system_memory_available_mb, s.system_memory_used_mb, s.daemon_rss_mb, s.child_count,
		s.zombie_count, s.load_avg_1, s.load_avg_5, s.load_avg_15, s.gpu_count, s.gpu_utilization_pct, s.gpu_memory_used_mb,
		s.gpu_temperature, s.pressure_level, s.running_jobs, s.active_sheets, s.cpus, s.partial, s.hidden_count,
		s.conductor_uptime_seconds, s.zombie_pids, s.gpus, s.job_progress, s.pressure, s.capabilities, s.host_values
		FROM snapshots s JOIN hosts h ON h.id = s.host_id`},
	{"samples", `SELECT h.name, s.timestamp, s.instance, s.seq, p.boot_id, p.pid, p.start_ticks, p.ppid, p.command, p.job_id, p.fleet,
		p.sheet_num, p.uid, p.cgroup, m.syscall_counts, m.syscall_time_pct, ` + metric.Columns("m", metric.Samples) + `
		FROM samples m JOIN snapshots s ON s.id = m.id >> 22 JOIN processes p ON p.id = m.process_id
		JOIN hosts h ON h.id = s.host_id`},
	{"processes", `SELECT h.name, f.timestamp, p.boot_id, p.pid, p.start_ticks, p.ppid, p.command, p.job_id, p.fleet, p.sheet_num, p.uid,
		p.cgroup, f.instance, f.seq, l.instance, l.seq, p.cpu_ms, p.max_cpu_permille, p.peak_rss_kib, p.read_kib, p.write_kib
		FROM processes p JOIN hosts h ON h.id = p.host_id LEFT JOIN snapshots f ON f.id = p.first_snapshot
		LEFT JOIN snapshots l ON l.id = p.last_snapshot`},
	{"process_events", `SELECT h.name, e.timestamp, e.instance, e.event_type, e.seq, e.pid, e.exit_code, e.signal_num, e.job_id, e.fleet,
		e.sheet_num, e.details, e.boot_id, e.boot_ns, e.start_ticks, e.ppid, e.uid, e.command, e.core, e.cpu_ms, e.peak_rss_kib,
		e.read_kib, e.write_kib, e.lifetime_ms, e.sampled_cpu_ms, e.source, e.within_ms, e.system_cpu_ms FROM process_events e JOIN hosts h ON h.id = e.host_id`},
	{"process_execs", `SELECT h.name, e.timestamp, e.instance, e.seq, e.boot_id, e.boot_ns, e.pid, e.start_ticks, e.uid, e.command,
		e.job_id, e.fleet, e.sheet_num, e.source FROM process_execs e JOIN hosts h ON h.id = e.host_id`},
	{"jobs", `SELECT h.name, NULL, job_id, fleet, first_seen, last_seen, samples, peak_rss_kib, max_cpu_permille, cpu_ms, unique_pids, spawns,
		exits, signals, ooms, exit_cpu_ms, exit_peak_rss_kib, first_event, last_event, status, total_sheets, last_completed_sheet, current_sheet, started, ended,
		exit_code, command FROM jobs t JOIN hosts h ON h.id = t.host_id`},
	{"job_sheets", `SELECT h.name, NULL, job_id, fleet, sheet_num, peak_rss_kib, max_cpu_permille, cpu_ms, exit_cpu_ms, exit_peak_rss_kib, started, ended, exit_code, status
		FROM job_sheets t JOIN hosts h ON h.id = t.host_id`},
	{"runs", `SELECT h.name, NULL, job_id, fleet, run_id, declared, steps_only, started, ended, ended_since, inferred, exit_code, signal_num, details,
		status, status_time, command, total_sheets, last_completed_sheet, boot_id, pid, start_ticks, supervisor, last_event, ` + totals + `
		FROM runs t JOIN hosts h ON h.id = t.host_id`},
	{"run_steps", `SELECT h.name, NULL, job_id, fleet, run_id, sheet_num, started, ended, exit_code, signal_num, status, status_time, ` + totals + `
		FROM run_steps t JOIN hosts h ON h.id = t.host_id`},
	{"run_records", `SELECT h.name, NULL, job_id, fleet, run_id, number, record, started, ended, ended_since, inferred, exit_code, signal_num, details,
		status, command, total_sheets, last_completed_sheet, t.timestamp, steps, lower_bound, ` + totals + ` FROM run_records t JOIN hosts h ON h.id = t.host_id`},
	{"anomalies", `SELECT h.name, t.started, episode_id, revision, t.boot_id, rule, rule_digest, type, severity, subject, pid, start_ticks, command, cgroup, job_id, fleet,
		run_id, sheet_num, gpu, noticed, peaked, last_seen, ended, end_reason, metric, first_value, peak_value, last_value, threshold, more_values, samples,
		description, labels FROM anomalies t JOIN hosts h ON h.id = t.host_id`},
	{"job_events", `SELECT h.name, e.timestamp, e.job_id, e.fleet, e.type, e.sheet_num, e.total_sheets, e.last_completed_sheet, e.status, e.pid,
		e.exit_code, e.command, e.details, e.boot_id, e.boot_ns FROM job_events e JOIN hosts h ON h.id = e.host_id`},
	{"rollups", `SELECT h.name, r.timestamp, r.samples, r.covers, r.boot_id, r.boot_ns, r.interval_ns, r.daemon_pid, r.daemon_rss_kib,
		r.cpus, r.memory_total_kib, r.memory_used_mean, r.memory_used_max, r.memory_used_p95, r.load1_mean, r.load1_max, r.load1_p95,
		r.load5, r.load15, r.cpu_mean, r.cpu_max, r.cpu_p95, r.process_count, r.zombie_count, r.pressure_level, r.running_jobs,
		r.active_sheets, r.partial, r.gpus FROM rollups r JOIN hosts h ON h.id = r.host_id`},
	{"process_rollups", `SELECT h.name, r.timestamp, p.boot_id, p.pid, p.start_ticks, p.ppid, p.command, p.job_id, p.fleet, p.sheet_num, p.uid,
		m.samples, m.last_boot_ns, m.` + strings.Join(metric.RollupNames(), ", m.") + ` FROM process_rollups m JOIN rollups r ON r.id = m.rollup_id
		JOIN rollup_processes p ON p.id = m.process_id JOIN hosts h ON h.id = r.host_id`},
	{"host_minutes", `SELECT h.name, t.timestamp, t.timestamp, samples, cpu_samples, cpu_sum, cpu_max, memory_samples, memory_sum, memory_max, memory_total_kib,
		starts, ends, deaths FROM host_minutes t JOIN hosts h ON h.id = t.host_id`},
	{"step_minutes", `SELECT h.name, t.timestamp, t.timestamp, job_id, fleet, sheet_num, cpu_ms, starts, ends, deaths, exit_cpu_ms, largest_kib, longest_ms
		FROM step_minutes t JOIN hosts h ON h.id = t.host_id`},
	{"program_minutes", `SELECT h.name, t.timestamp, t.timestamp, job_id, fleet, sheet_num, program, starts, ends, deaths, cpu_ms, largest_kib, longest_ms
		FROM program_minutes t JOIN hosts h ON h.id = t.host_id`},
	{"job_pids", `SELECT h.name, NULL, job_id, fleet, pid FROM job_pids t JOIN hosts h ON h.id = t.host_id`},
	{"job_syscalls", `SELECT h.name, NULL, job_id, fleet, t.name, time_pct_x100, first_ns, rank FROM job_syscalls t JOIN hosts h ON h.id = t.host_id`},
	// The gaps of a stream are left out: whether a log lost its end is not part of what it tells. So is the time at which
	// missing numbers were noticed: it depends on the log's own clock.
	{"gaps", `SELECT h.name, NULL, g.instance, g.message_kind, g.kind, g.first_seq, g.last_seq, g.count,
		CASE WHEN g.first_seq IS NULL THEN g.from_time END, CASE WHEN g.first_seq IS NULL THEN g.to_time END,
		CASE WHEN g.first_seq IS NULL THEN g.details END FROM gaps g JOIN hosts h ON h.id = g.host_id`},
	{"producers", `SELECT h.name, NULL, p.instance, p.kind, p.boot_id, p.next_seq, p.stored, p.quarantined, p.missing, p.dropped
		FROM producers p JOIN hosts h ON h.id = p.host_id`},
	{"quarantine", `SELECT coalesce(host, ''), NULL, subject, reason, size, sha256, message_id FROM quarantine`},
}

// sharedRows says, by table, which rows two databases must have in common. {counterpart} is the database other than the one that is
// read, {live} the live one and {replayed} the replayed one; {inlog} is whether the log still has the row's message, and {expired}
// whether retention has deleted rows of the table. It leaves out rows of the live one that the log no longer has, and
// rows of the log that retention has deleted from the live one.
var sharedRows = map[string]string{
	"snapshots": snapshotShared, "samples": snapshotShared,
	"process_events": `({inlog} AND ((e.instance, e.event_type, e.seq) IN (SELECT instance, event_type, seq FROM {counterpart}.process_events)
		OR e.timestamp >= max(` + firstLive("process_events") + `, ` + firstTime("process_events", "{replayed}") + `)))`,
	"process_execs": `({inlog} AND ((e.instance, e.seq) IN (SELECT instance, seq FROM {counterpart}.process_execs)
		OR e.timestamp >= max(` + firstLive("process_execs") + `, ` + firstTime("process_execs", "{replayed}") + `)))`,
	"job_events": `({inlog} AND e.timestamp >= max(` + firstLive("job_events") + `, ` + firstTime("job_events", "{replayed}") + `))`,
	"rollups":    rollupShared, "process_rollups": rollupShared,
	// Jobs that both databases hold completely: they began after both databases do, and no process of theirs was there before.
	"jobs": jobShared, "job_sheets": jobShared, "job_syscalls": jobShared, "job_pids": jobShared,
	"runs": jobShared, "run_steps": jobShared,
	"anomalies":   `({inlog} AND (NOT {expired} OR t.episode_id IN (SELECT episode_id FROM {counterpart}.anomalies)))`,
	"run_records": `({inlog} AND (NOT {expired} OR t.run_id IN (SELECT run_id FROM {counterpart}.run_records)))`,
}

const (
	snapshotShared = `((s.instance, s.seq) IN (SELECT instance, seq FROM {counterpart}.snapshots)
		OR NOT EXISTS (SELECT 1 FROM {live}.rollups r WHERE r.host_id = s.host_id AND r.timestamp = CAST(s.timestamp AS INTEGER) / 60 * 60)
		AND {inlog})`
	rollupShared = `({inlog} AND r.timestamp >= max(CASE WHEN {expired} THEN (SELECT coalesce(min(timestamp), 9e99) FROM {live}.rollups) ELSE -9e99 END,
		(SELECT coalesce(min(timestamp), 9e99) FROM {replayed}.rollups)))`
	jobShared = `(t.job_id, t.fleet, t.host_id) IN (SELECT j.job_id, j.fleet, j.host_id FROM {live}.jobs j WHERE
		coalesce(j.first_seen, 9e99) > (SELECT coalesce(min(timestamp), 9e99) FROM {replayed}.snapshots)
		AND coalesce(j.first_event, 9e99) > (SELECT min(t) FROM (SELECT min(timestamp) AS t FROM {replayed}.process_events
			UNION ALL SELECT min(timestamp) FROM {replayed}.job_events))
		AND NOT EXISTS (SELECT 1 FROM {live}.processes p JOIN {live}.processes q ON q.pid = p.pid AND q.start_ticks = p.start_ticks
			AND q.host_id = p.host_id AND q.boot_id = p.boot_id
			WHERE p.job_id = j.job_id AND p.fleet = j.fleet AND p.host_id = j.host_id AND q.first_snapshot < (SELECT min(s.id) FROM {live}.snapshots s
				WHERE (s.instance, s.seq) IN (SELECT instance, seq FROM {replayed}.snapshots))))`
)

func firstTime(table, schema string) string {
	return `(SELECT coalesce(min(timestamp), 9e99) FROM ` + schema + `.` + table + `)`
}

// firstLive is the time from which the live database has all rows of a table that the log gives.
func firstLive(table string) string {
	return `CASE WHEN {expired} THEN ` + firstTime(table, "{live}") + ` ELSE -9e99 END`
}
