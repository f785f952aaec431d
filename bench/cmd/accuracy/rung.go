package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The verdicts of a row.
const (
	barMet  = "met"
	missed  = "MISSED"
	counted = "counted missing"
	skipped = "skipped"
)

// row is a workload on a rung.
type row struct {
	Rung, Workload, Counts, CPU, Exits, Peak, Beside, Bar, Verdict, Why string
}

// told is what the report of a job says.
type told struct {
	Spawns     int      `json:"process_spawn_count"`
	Exits      int      `json:"process_exit_count"`
	Failed     int      `json:"failed_count"`
	CPU        *float64 `json:"total_cpu_seconds"`
	Source     string   `json:"cpu_source"`
	Peak       *float64 `json:"peak_rss_mb"`
	LowerBound bool     `json:"lower_bound"`
	Coverage   []struct {
		Complete bool `json:"complete"`
		Reasons  []struct {
			Kind string `json:"kind"`
		} `json:"reasons"`
	} `json:"coverage"`
}

// playRung records on this rung, runs the workloads as jobs, and prints its rows as JSON.
func playRung(dir string, short bool, proctape string) error {
	all, err := workloads(dir, short)
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	args := []string{"up", "--data", data, "--interval", "1s", "--host", "here"}
	if bpf := os.Getenv("ACCURACY_BPF"); bpf != "" {
		args = append(args, "--bpf", bpf)
	}
	recorder := exec.Command(proctape, args...)
	recorder.Stderr = os.Stderr
	if err := recorder.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- recorder.Wait() }()
	if err := awaitRecorder(proctape, data, ended); err != nil {
		return err
	}
	rows := make([]row, len(all))
	truths := make([]*truth, len(all))
	for i, w := range all {
		rows[i].Workload, rows[i].Bar = w.name, fmt.Sprintf("CPU %g %%, peak %g %%", w.bar, peakBar)
		if truths[i], err = runWorkload(w, i, dir, proctape, data); err != nil {
			rows[i].Verdict, rows[i].Why = skipped, err.Error()
		}
	}
	if err := recorder.Process.Signal(unix.SIGINT); err != nil {
		return err
	}
	if err := <-ended; err != nil {
		return err
	}
	for i, w := range all {
		if truths[i] != nil {
			rows[i].judge(w, truths[i], reportOf(proctape, data, jobName(i)))
			rows[i].judgeBeside(w, truths[i], func(statement string) *float64 { return askOf(proctape, data, fmt.Sprintf(statement, jobName(i))) })
		}
	}
	return json.NewEncoder(os.Stdout).Encode(rows)
}

func jobName(i int) string { return fmt.Sprintf("workload-%d", i) }

// awaitRecorder waits until a recorder records.
func awaitRecorder(proctape, data string, ended <-chan error) error {
	for range 300 {
		select {
		case err := <-ended:
			return fmt.Errorf("the recorder has ended: %w", err)
		case <-time.After(200 * time.Millisecond):
		}
		if out, err := exec.Command(proctape, "snapshots", "--data", data, "--json", "--limit", "1").Output(); err == nil && len(out) > 0 {
			return nil
		}
	}
	return errors.New("the recorder records nothing")
}

// runWorkload runs a workload as a job, and once more under strace where its processes are to be counted.
func runWorkload(w workload, i int, dir, proctape, data string) (*truth, error) {
	if w.needs != "" {
		if _, err := exec.LookPath(w.needs); err != nil {
			return nil, fmt.Errorf("there is no %s", w.needs)
		}
	}
	file := filepath.Join(dir, fmt.Sprintf("truth-%d", i))
	cmd := exec.Command(proctape, append([]string{"run", "--quiet", "--data", data, "--host", "here", "--job", jobName(i), "--", filepath.Join(dir, "accuracy"), "measure", file}, w.args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("it does not run here: %w: %.200s", err, strings.ReplaceAll(string(out), "\n", " "))
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t := &truth{Processes: w.processes, Failed: w.failed}
	err = json.Unmarshal(b, t)
	t.Processes, t.Failed = w.processes, w.failed
	if w.processes == 0 {
		t.Processes = straced(w, dir)
	}
	return t, err
}

// forked is a call that made a process, in what strace writes.
var forked = regexp.MustCompile(`(?m)^.*\b(?:v?fork|clone3?)\(.*$`)

// straced counts the processes of a second run of a workload, its parent included; 0 where that cannot be.
func straced(w workload, dir string) int {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return 0
	}
	for _, made := range []string{"py", "gocache"} {
		if err := os.RemoveAll(filepath.Join(dir, made)); err != nil {
			return 0
		}
	}
	out := filepath.Join(dir, "strace.out")
	cmd := exec.Command(strace, append([]string{"-f", "-qq", "-o", out, "-e", "trace=fork,vfork,clone,clone3"}, w.args...)...)
	if err := cmd.Run(); err != nil {
		return 0
	}
	b, err := os.ReadFile(out)
	if err != nil {
		return 0
	}
	n := 3 // the parent, its first child by which Go tries the kernel, and the workload
	for _, call := range forked.FindAllString(string(b), -1) {
		if !strings.Contains(call, "CLONE_THREAD") && !strings.Contains(call, " = -1 ") && !strings.Contains(call, "= ? ") {
			n++
		}
	}
	return n
}

// reportOf is the report of a job; nil where there is none.
func reportOf(proctape, data, job string) *told {
	out, err := exec.Command(proctape, "report", job, "--data", data, "--json").Output()
	t := new(told)
	if err != nil || json.Unmarshal(out, t) != nil {
		return nil
	}
	return t
}

// askOf is the one figure that a statement asks the recording for; nil where it is not known.
func askOf(proctape, data, statement string) *float64 {
	out, err := exec.Command(proctape, "sql", "--data", data, "--csv", statement).Output()
	_, value, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	v, failed := strconv.ParseFloat(value, 64)
	if err != nil || failed != nil {
		return nil
	}
	return &v
}

// judgeBeside compares what exits tell of the CPU time, which is not judged, and the figure that is asked beside.
func (r *row) judgeBeside(w workload, t *truth, ask func(statement string) *float64) {
	r.Exits, _ = apart(ask("SELECT sum(cpu_ms) / 1000.0 FROM process_events WHERE event_type = 'exit' AND job_id = '%s'"), t.CPU, 0)
	if w.beside == nil {
		return
	}
	got := ask(w.beside.ask)
	if got == nil {
		r.Beside = w.beside.name + ": unknown"
	} else {
		r.Beside = fmt.Sprintf("%s: %g of %g", w.beside.name, *got, w.beside.want)
	}
	if got == nil || math.Abs(*got-w.beside.want) > w.beside.tolerance {
		r.Verdict = missed
	}
}

// otherReasons are reasons of an answer to be incomplete that do not explain a missing process.
var otherReasons = []string{"io_hidden", "begins_late", "no_totals"}

// judge compares what is told with what is true.
func (r *row) judge(w workload, t *truth, got *told) {
	if got == nil {
		r.Verdict, r.Why = missed, "there is no report"
		return
	}
	var reasons []string
	for _, c := range got.Coverage {
		for _, reason := range c.Reasons {
			if !slices.Contains(otherReasons, reason.Kind) {
				reasons = append(reasons, reason.Kind)
			}
		}
	}
	exact := t.Processes == 0 || counts(got.Spawns, t.Processes, w) && counts(got.Exits, t.Processes, w) && (w.processes == 0 || got.Failed == t.Failed)
	r.Counts = fmt.Sprintf("%d and %d of %d", got.Spawns, got.Exits, t.Processes)
	if t.Processes == 0 {
		r.Counts = fmt.Sprintf("%d and %d of ?", got.Spawns, got.Exits)
	}
	cpu, cpuOK := apart(got.CPU, t.CPU, w.bar)
	cpuOK = cpuOK || got.CPU != nil && math.Abs(*got.CPU-t.CPU) < cpuFloor
	peak, peakOK := apart(got.Peak, t.PeakMiB, peakBar)
	if t.PeakMiB < 20 { // a child has its parent's peak until it executes another program
		peak, peakOK = "under 20 MiB", true
	}
	r.CPU, r.Peak = cpu+" ("+got.Source+")", peak
	known := len(reasons) > 0 || got.LowerBound
	switch {
	case exact && cpuOK && peakOK:
		r.Verdict = barMet
	case known && !exact && cpuOK && (peakOK || got.Peak == nil):
		r.Verdict, r.Why = counted, strings.Join(reasons, ", ")
	default:
		if got.Peak == nil && !peakOK {
			reasons = append(reasons, "the peak is unknown, and the answer says so")
		}
		if !exact && w.processes == 0 {
			reasons = append(reasons, "strace counted another run")
		}
		r.Verdict, r.Why = missed, strings.Join(reasons, ", ")
	}
}

// counts reports whether as many processes are told as there were: of a storm exactly.
func counts(got, want int, w workload) bool {
	if w.processes > 0 {
		return got == want
	}
	return math.Abs(float64(got-want)) <= max(1, countBar*float64(want))
}

// apart says how far a figure is from the truth, and whether that is within a bar, in percent.
func apart(got *float64, want, bar float64) (text string, within bool) {
	if got == nil {
		return "unknown", false
	}
	percent := 100 * (*got - want) / want
	return fmt.Sprintf("%+.1f %%", percent), math.Abs(percent) <= bar
}
