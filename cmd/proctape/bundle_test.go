package main

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// bundleQuestions are questions that a bundle of the second run of build-7 answers as the recording does that it was made of.
var bundleQuestions = []string{
	"report build-7 --run 2", "report build-7 --run 2 --format json", "report build-7 --run 2 --format markdown", "profile build-7 --run 2", "profile build-7 --run 2 --json",
	"why 5951 --json", "why 5910", "why 5901 --at 2026-11-23T03:20:20",
	"events --job build-7 --run 2 --json", "events --since 2026-11-23T03:20:02 --until 2026-11-23T03:20:53", "events --since 2026-11-23T03:20:02 --until 2026-11-23T03:20:53 --failed",
	"history 5951 --job build-7 --run 2 --json", "top --once --job build-7 --run 2 --sort mem --json", "top --once --at 2026-11-23T03:20:45",
	"top --once --since 2026-11-23T03:20:00 --until 2026-11-23T03:20:50 --by user --json",
	"tree --at 2026-11-23T03:20:45", "tree build-7 --at 2026-11-23T03:20:45 --json", "orphans --at 2026-11-23T03:20:55 --json",
	"diff 2026-11-23T03:20:10 2026-11-23T03:20:50", "snapshots --since 2026-11-23T03:20:10 --until 2026-11-23T03:20:50 --json", "gaps --since 2026-11-23T03:20:10 --until 2026-11-23T03:20:50",
	"sql --json SELECT|pid,command|FROM|process_metrics|WHERE|job_id='build-7'|AND|snapshot_id=(SELECT|max(id)|FROM|snapshots|WHERE|timestamp<1795404050)|ORDER|BY|pid",
}

// beyondBundle are questions that are about more than the time of the bundle. Their figures are the same too, and what is not in the bundle is told.
var beyondBundle = []string{"why build-7 --run 2", "jobs build-7", "jobs build-7 --csv"}

// longMessages are the messages of a machine on which a job of two steps ran four times, ten minutes from one start to the next, and each time was killed in the second
// for want of memory.
func longMessages() []*schema.Message {
	const s = time.Second
	h := newFixedHost(fixedStart, "build-07", 7)
	all := fixedProcesses()[:2]
	for run := range 4 {
		for _, p := range fixedProcesses()[2:7] {
			shifted := *p
			shifted.pid, shifted.born = p.pid+1000*(1+run), p.born+time.Duration(run)*600*s
			if shifted.ppid > 800 {
				shifted.ppid += 1000 * (1 + run)
			}
			if shifted.dies = p.dies; p.dies == 0 {
				shifted.dies = 53 * s
			}
			shifted.dies += time.Duration(run) * 600 * s
			all = append(all, &shifted)
		}
	}
	for at := time.Duration(0); at < 2400*s; at += s {
		run, into := int64(at/(600*s)), at%(600*s)
		id := schema.RunID{byte(0x40 + run)}
		sheet := func(n int64) schema.Opt[int64] { return schema.Some(n) }
		switch into {
		case 2 * s:
			root := all[2+5*run]
			h.job(at, schema.JobEvent{Type: schema.JobDeclared, JobID: "build-7", Run: id, Status: "running", Command: "make -j8", TotalSheets: sheet(2), PID: sheet(int64(root.pid)), StartTicks: root.startTicks(), Supervisor: true})
		case 3 * s, 22 * s:
			h.job(at, schema.JobEvent{Type: schema.JobSheetStarted, JobID: "build-7", Run: id, Sheet: sheet(1 + int64(into/(20*s)))})
		case 52 * s:
			h.job(at, schema.JobEvent{Type: schema.JobEnded, JobID: "build-7", Run: id, Status: "failed", ExitCode: sheet(2)})
		}
		h.lives(all, at)
	}
	return h.messages
}

// provenUntil is what a recording knows by sums of its pages, which a bundle has not.
var provenUntil = regexp.MustCompile(`"proven_until":[^,}]*`)

// TestBundle_SaysTheSame makes a bundle of one run of several, and asks it, alone in another folder, what the recording is asked.
func TestBundle_SaysTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	dir := filepath.Join(t.TempDir(), "data")
	recordMessages(t, dir, longMessages())
	bundle := filepath.Join(t.TempDir(), "build-7.db")
	if out := answerOf(t, "bundle", "build-7", "--run", "2", "--data", dir, "-o", bundle); !strings.Contains(out, "job build-7, run 2, ") || strings.Contains(out, "# ") {
		t.Fatal(out)
	}
	answer := func(question, db string) string {
		args := strings.Fields(question)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "|", " ")
		}
		out := answerOf(t, append(args, "--db", db, "--data", t.TempDir())...)
		return provenUntil.ReplaceAllString(strings.ReplaceAll(out, db, "DB"), "")
	}
	recording := filepath.Join(dir, "monitor.db")
	for _, q := range bundleQuestions {
		if got, want := answer(q, bundle), answer(q, recording); got != want || len(got) < 20 || strings.Contains(got, "# exit") {
			t.Errorf("%s: the bundle says\n%s\nand the recording\n%s", q, got, want)
		}
	}
	for _, q := range beyondBundle {
		got, told, _ := strings.Cut(answer(q, bundle), "# stderr\n")
		if want, _, _ := strings.Cut(answer(q, recording), "# stderr\n"); withoutNote(got) != withoutNote(want) || !strings.Contains(got+told, "it is not in this bundle") {
			t.Errorf("%s: the bundle says\n%s%s\nand the recording\n%s", q, got, told, want)
		}
	}
	// The control: what is not in the bundle is not told as if nothing had been there.
	for _, q := range []string{"events --since 2026-11-23T03:10:00 --until 2026-11-23T03:11:00", "events --since 2026-11-23T03:30:00 --until 2026-11-23T03:31:00",
		"events --since 2026-11-23T03:10:00 --until 2026-11-23T03:31:00", "report build-7 --run 1", "report build-7 --run 4", "why build-7 --run 4", "snapshots --since 2026-11-23T03:30:00 --until 2026-11-23T03:31:00"} {
		if got := answer(q, bundle); !strings.Contains(got, "incomplete") && !strings.Contains(got, "# exit 1") {
			t.Errorf("%s: of what is not in the bundle it says\n%s", q, got)
		}
	}
	whole, err := os.Stat(recording)
	part, err2 := os.Stat(bundle)
	if err := errors.Join(err, err2); err != nil || part.Mode().Perm() != 0o600 || part.Size() > whole.Size()/2 {
		t.Errorf("the bundle: %v, %v of %v bytes", err, part.Size(), whole.Size())
	}
}

// withoutNote is an answer without the line that says what is not known.
func withoutNote(answer string) string {
	var b strings.Builder
	for line := range strings.Lines(answer) {
		if !strings.Contains(line, "incomplete: ") && !strings.Contains(line, "Known: ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestBundle_Tokens looks for what tokens replace in the bytes of the file, and asks the bundle.
func TestBundle_Tokens(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	key := filepath.Join(t.TempDir(), "key")
	made := func(args ...string) (string, []byte) {
		path := filepath.Join(t.TempDir(), "b.db")
		if out := answerOf(t, append([]string{"bundle", "build-7", "--data", dir, "-o", path}, args...)...); strings.Contains(out, "# exit") {
			t.Fatal(out)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return path, b
	}
	secrets := []string{"make -j8", "cc -O2", "main.c", "ld.lld", "node mcp-server.js", "/sbin/init", "sshd", "control group /work"}
	plain, bytesOf := made()
	for _, s := range secrets {
		if !bytes.Contains(bytesOf, []byte(s)) {
			t.Errorf("the control: %q is not in a bundle without tokens", s)
		}
	}
	first, bytesOf := made("--tokens", "--token-key", key)
	for _, s := range secrets {
		if bytes.Contains(bytesOf, []byte(s)) {
			t.Errorf("%q is in a bundle with tokens", s)
		}
	}
	second, _ := made("--tokens", "--token-key", key)
	third, _ := made("--tokens")
	ask := func(db, statement string) string { return answerOf(t, "sql", "--csv", statement, "--db", db) }
	for _, statement := range []string{"SELECT pid, command FROM processes ORDER BY id", "SELECT id, command, details FROM process_events ORDER BY id", "SELECT program FROM program_minutes ORDER BY program"} {
		if a, b, c := ask(first, statement), ask(second, statement), ask(third, statement); a != b || a == c {
			t.Errorf("%s: of one key\n%s\nand\n%s\nof another\n%s", statement, a, b, c)
		}
	}
	// Programs that are the same stay the same, and no others are.
	same := "SELECT count(*), count(DISTINCT command), count(DISTINCT cgroup) FROM processes"
	if a, b := ask(plain, same), ask(first, same); a != b {
		t.Errorf("%s: %s without tokens, %s with them", same, a, b)
	}
	if out := answerOf(t, "report", "build-7", "--db", first); !strings.Contains(out, "CPU 104 s") || strings.Contains(out, "ld.lld") {
		t.Errorf("a report of a bundle with tokens:\n%s", out)
	}
	if out := answerOf(t, "bundle", "check", first); !strings.Contains(out, "It is as it was made") {
		t.Error(out)
	}
}

// TestBundle_CheckFindsTampering changes bundles in many ways. Each is refused; the one that nobody changed is not.
func TestBundle_CheckFindsTampering(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	whole := filepath.Join(t.TempDir(), "whole.db")
	printed := answerOf(t, "bundle", "build-7", "--data", dir, "-o", whole)
	sum := regexp.MustCompile(`manifest  ([0-9a-f]{64})`).FindStringSubmatch(printed)
	if sum == nil {
		t.Fatal(printed)
	}
	statement := func(text string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	content := func(change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			b, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, change(b), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		tamper func(*testing.T, string)
		says   string
	}{
		"nothing":              {func(*testing.T, string) {}, ""},
		"a value":              {statement(`UPDATE process_events SET exit_code = 0 WHERE exit_code = 2`), "table process_events is not as it was made: a value is another"},
		"a type":               {statement(`UPDATE jobs SET status = CAST(status AS BLOB)`), "table jobs is not as it was made"},
		"NULL for a value":     {statement(`UPDATE processes SET cgroup = NULL WHERE pid = 3951`), "table processes is not as it was made"},
		"a row that goes":      {statement(`DELETE FROM process_events WHERE event_type = 'oom'`), "it has "},
		"a row that comes":     {statement(`INSERT INTO meta VALUES ('note', 'all is well')`), "table meta is not as it was made: it has "},
		"a row for another":    {statement(`UPDATE samples SET process_id = process_id + 1 WHERE id = (SELECT max(id) FROM samples)`), "table samples is not as it was made"},
		"a run that goes":      {statement(`DELETE FROM runs`), "table runs is not as it was made: it has 0 rows, and had 1"},
		"a table that goes":    {statement(`DROP TABLE job_pids; VACUUM`), "table job_pids is not as it was made: it is gone"},
		"a table that comes":   {statement(`CREATE TABLE more (x)`), "table more is not as it was made: it was not there"},
		"a view that lies":     {statement(`DROP VIEW process_metrics; CREATE VIEW process_metrics AS SELECT 1 AS pid; VACUUM`), "the layout is not as it was made"},
		"a trigger":            {statement(`CREATE TRIGGER t AFTER INSERT ON meta BEGIN SELECT 1; END`), "the layout is not as it was made"},
		"another version":      {statement(`PRAGMA user_version = 3`), "the layout is not as it was made"},
		"the manifest":         {statement(`UPDATE bundle SET manifest = replace(manifest, '"run":1', '"run":2')`), "the manifest is not as it was made"},
		"no manifest":          {statement(`DELETE FROM bundle`), "the manifest is not as it was made: it is not one"},
		"two manifests":        {statement(`INSERT INTO bundle SELECT * FROM bundle`), "the manifest is not as it was made"},
		"its table":            {statement(`DROP TABLE bundle`), "it is no bundle"},
		"the file cut":         {content(func(b []byte) []byte { return b[:len(b)-4096] }), ""},
		"the file longer":      {content(func(b []byte) []byte { return append(b, "more"...) }), "the file is not as it was made"},
		"a bit":                {content(func(b []byte) []byte { b[bytes.LastIndex(b, []byte("ld.lld"))] ^= 1; return b }), "is not as it was made"},
		"a page of zeros":      {content(func(b []byte) []byte { clear(b[8192:12288]); return b }), ""},
		"no database":          {content(func([]byte) []byte { return []byte("hello") }), "it is no bundle"},
		"a log beside it":      {func(t *testing.T, path string) { os.WriteFile(path+"-wal", []byte("more"), 0o600) }, "lies beside it"},
		"another bundle":       {statement(`UPDATE bundle SET manifest = manifest || ' '`), "the manifest is not as it was made"},
		"free pages with text": {statement(`CREATE TABLE more (x); INSERT INTO more VALUES (zeroblob(100000)); DROP TABLE more`), "the file is not as it was made"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "b.db")
			b, err := os.ReadFile(whole)
			if err == nil {
				err = os.WriteFile(path, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			c.tamper(t, path)
			out := answerOf(t, "bundle", "check", path, "--manifest", sum[1])
			if refused := strings.Contains(out, "# exit 1"); refused != (name != "nothing") || !strings.Contains(out, c.says) {
				t.Errorf("it says, and not %q:\n%s", c.says, out)
			}
		})
	}
	if out := answerOf(t, "bundle", "check", whole, "--manifest", strings.Repeat("0", 64)); !strings.Contains(out, "its manifest is another one") {
		t.Error(out)
	}
}
