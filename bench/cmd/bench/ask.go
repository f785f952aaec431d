package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// question is a command line that asks a recording, and what its answer may cost.
type question struct {
	args  string // JOB, PID, HOST, AT and DAY stand for what the recording has
	first bool   // the first line counts, and the rest is not read; else the whole answer
	bar   bar    // milliseconds, the start of the program included
}

// questions are one of each command that reads. A listing of all is stopped at its first line.
var questions = []question{
	{"snapshots --since 0 --limit 0", true, atMost(150)},
	{"events --since 0 --limit 0", true, atMost(150)},
	{"execs --since 0 --limit 0", true, atMost(150)},
	{"history PID --host HOST --since 0 --limit 0", true, atMost(150)},
	{"jobs", true, atMost(150)},
	{"jobs JOB", true, atMost(150)},
	{"gaps --since 0", true, atMost(150)},
	{"profile JOB", true, atMost(150)},
	{"tree --at AT --host HOST", true, atMost(150)},
	{"diff EARLIER AT --host HOST", true, atMost(150)},
	{"orphans --at AT --host HOST", true, atMost(150)},
	{"status", true, atMost(150)},
	{"report JOB", false, atMost(20)},
	{"why JOB", false, atMost(20)},
	{"why PID --host HOST", false, atMost(20)},
	{"top --once --at AT --host HOST", false, atMost(20)},
	{"top --once --since DAY --until AT --host HOST", false, atMost(1000)},
	{"top --once --since DAY --until AT --by user", false, atMost(1000)},
	{"compare --since EARLIER --until AT --host HOST", false, atMost(50)},
	{"compare " + comparedJob, false, atMost(50)},
}

// comparedJob is a job with runs that ended, of which the simulation has none, and comparedRuns how many it gets.
const (
	comparedJob  = "bench-compared"
	comparedRuns = 6
)

// makeRuns has the recorder of a folder record runs of a job, which then can be compared.
func makeRuns(b *bench, dir string) error {
	for range comparedRuns {
		if _, err := b.run(b.proctape, "run", "--data", dir, "--host", "writer", "--job", comparedJob, "--", "sh", "-c", "for i in 1 2 3 4 5; do sleep 0.1; done"); err != nil {
			return err
		}
	}
	return nil
}

// ask measures what commands take on a recording, as who types them waits.
func ask(b *bench, dir string) error {
	words, err := wordsOf(b, dir)
	if err != nil {
		return err
	}
	for _, q := range questions {
		if err := askOne(b, dir, q, words); err != nil {
			return err
		}
	}
	for _, all := range []string{"events --since 0 --limit 0 --json", "snapshots --since DAY --limit 0 --csv --columns time,pid,rss"} {
		a, err := asked(b, dir, strings.Fields(words.Replace(all)), false)
		if err != nil {
			return err
		}
		b.add("… largest memory of "+all, "MiB", atMost(60), a.peak)
		b.add("… and it took", "s", noBar, a.took/1000)
	}
	return askDocument(b, dir, words)
}

// askOne measures a question.
func askOne(b *bench, dir string, q question, words *strings.Replacer) error {
	var took, cpu []float64
	for range b.rounds + 1 { // the first reads from the disk
		a, err := asked(b, dir, strings.Fields(words.Replace(q.args)), q.first)
		if err != nil {
			return err
		}
		took, cpu = append(took, a.took), append(cpu, a.cpu)
	}
	part := map[bool]string{true: "first line of ", false: "all of "}[q.first]
	b.add("… "+part+q.args, "ms", q.bar, took[1:]...)
	if !q.first {
		b.add("… … CPU", "ms", q.bar, cpu[1:]...)
	}
	return nil
}

// wordsOf are a job, a process and times that a recording has.
func wordsOf(b *bench, dir string) (*strings.Replacer, error) {
	db, err := openDatabase(filepath.Join(dir, "monitor.db"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var host, job string
	var last float64
	var pid int64
	if err := db.QueryRowContext(b.ctx, `SELECT name, (SELECT max(timestamp) FROM snapshots WHERE host_id = hosts.id), (SELECT job_id FROM jobs WHERE host_id = hosts.id ORDER BY samples DESC LIMIT 1),
		(SELECT min(pid) FROM processes WHERE host_id = hosts.id AND first_snapshot = (SELECT min(id) FROM snapshots WHERE host_id = hosts.id))
		FROM hosts WHERE name LIKE 'sim-%' ORDER BY name LIMIT 1`).Scan(&host, &last, &job, &pid); err != nil {
		return nil, fmt.Errorf("look into the recording: %w", err)
	}
	at := func(before float64) string { return strconv.FormatFloat(last-before, 'f', 3, 64) }
	return strings.NewReplacer("JOB", job, "PID", strconv.FormatInt(pid, 10), "HOST", host, "EARLIER", at(660), "AT", at(60), "DAY", at(86_400)), nil
}
