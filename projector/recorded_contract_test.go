package projector

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/proctape/proctape/projector/fold"
)

// contractHash is the hash of what the contract's tables, and its profile of each job by the bare name, give of the recorded
// log. The log does not change and neither does the contract: so this hash stays, whatever our own tables become.
const contractHash = "bb6acc511339dd8d6e30e020f50215fc4c553086e3895f43320ba28fb0980d8e"

// contractReads are the contract's columns, and the figures of its profile over all hosts.
var contractReads = []string{
	`SELECT id, timestamp, daemon_pid, system_memory_total_mb, system_memory_available_mb, system_memory_used_mb, daemon_rss_mb,
		child_count, zombie_count, load_avg_1, load_avg_5, load_avg_15, gpu_count, gpu_utilization_pct, gpu_memory_used_mb,
		gpu_temperature, pressure_level, running_jobs, active_sheets FROM snapshots ORDER BY id`,
	`SELECT id, snapshot_id, pid, ppid, command, state, cpu_percent, rss_mb, vms_mb, threads, open_fds, age_seconds, job_id, sheet_num,
		syscall_counts, syscall_time_pct FROM process_metrics ORDER BY id`,
	`SELECT id, timestamp, pid, event_type, exit_code, signal_num, job_id, sheet_num, details FROM process_events ORDER BY id`,
	`SELECT job_id, max(peak_rss_kib), max(exit_peak_rss_kib), sum(cpu_ms), sum(exit_cpu_ms), sum(spawns), sum(samples), sum(exits),
		sum(signals), sum(ooms), (SELECT count(DISTINCT pid) FROM job_pids p WHERE p.job_id = jobs.job_id) FROM jobs GROUP BY job_id ORDER BY job_id`,
	`SELECT job_id, sheet_num, max(peak_rss_kib), max(exit_peak_rss_kib), max(max_cpu_permille), sum(cpu_ms), sum(exit_cpu_ms)
		FROM job_sheets GROUP BY job_id, sheet_num ORDER BY job_id, sheet_num`,
	`SELECT job_id, name, sum(time_pct_x100) FROM job_syscalls GROUP BY job_id, name ORDER BY job_id, name`,
}

// The contract's tables and its profiles by the bare name are what they were before jobs belonged to hosts.
func TestRecordedLog_Contract(t *testing.T) {
	sum, jobs := sha256.New(), 0
	for _, log := range readRecorded(t, recordedPath) {
		p := newTape(t, -1)
		for part := range slices.Chunk(log, 100) {
			deliveries := make([]*received, len(part))
			for i, m := range part {
				deliveries[i] = &received{Delivery: fold.Delivery{Stream: m.Stream, Seq: m.Seq, Stored: time.Unix(0, m.Stored), Subject: m.Subject, Header: fold.Header(m.Header), Payload: m.Payload}}
				deliveries[i].Decode()
			}
			p.fold(deliveries...)
		}
		for _, query := range contractReads {
			for _, row := range p.rows(query) {
				fmt.Fprintln(sum, row)
			}
		}
		jobs += len(p.rows(`SELECT job_id FROM jobs`))
		p.close()
	}
	if jobs == 0 {
		t.Error("the recorded log has no jobs: this shows nothing of them")
	}
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != contractHash {
		t.Errorf("got hash %s, want %s: what the contract promises has changed", got, contractHash)
	}
}
