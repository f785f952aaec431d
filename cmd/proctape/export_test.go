package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/export"
)

// exported is the database of the fixed recording, and the question for all of it.
func exported(t *testing.T) (*query.DB, export.Question) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	db, err := query.Open(t.Context(), filepath.Join(dir, "monitor.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, export.Question{What: export.AllWhat, Filter: query.Filter{Range: query.Range{Since: timestamp(fixedStart), Until: timestamp(fixedStart.Add(2 * time.Minute))}}}
}

// quietCommand is a command that prints nowhere.
func quietCommand(ctx context.Context) *cobra.Command {
	cmd := new(cobra.Command)
	cmd.SetContext(ctx)
	cmd.SetOut(new(bytes.Buffer))
	cmd.SetErr(new(bytes.Buffer))
	return cmd
}

// cutAt exports into a file and is cut behind a row, as by a crash: what was not saved by then is there in part, and more behind it.
func cutAt(t *testing.T, db *query.DB, q export.Question, format *exportFormat, path string, row int) (rows int) {
	t.Helper()
	e, err := createExport(path, exportState{Format: format.name, Question: q}, true)
	if err != nil {
		t.Fatal(err)
	}
	e.every = 0
	w := format.writer(e, nil)
	cut := errors.New("cut")
	_, err = export.Write(t.Context(), db, q, export.Place{}, w, func(p export.Place, _ float64) error {
		if rows++; rows > row { // written, and never saved
			return cut
		}
		return e.note(p)
	})
	if err != nil && !errors.Is(err, cut) {
		t.Fatal(err)
	}
	fmt.Fprint(e, "half a row")
	if err := errors.Join(e.w.Flush(), e.close()); err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestExport_GoesOn: an export that is cut behind any row, and goes on, is the same file as one that was never cut.
func TestExport_GoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	db, q := exported(t)
	for _, c := range []struct {
		format string
		what   []string
	}{{"ndjson", export.AllWhat}, {"csv", []string{export.Samples}}, {"csv", []string{export.Events}}, {"csv", []string{export.Execs}}} {
		q.What = c.what
		format, dir := formatNamed(c.format), t.TempDir()
		whole := filepath.Join(dir, "whole")
		e, err := createExport(whole, exportState{Format: c.format, Question: q}, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.fill(quietCommand(t.Context()), db, format); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(whole)
		if err != nil {
			t.Fatal(err)
		}
		for row := 1; ; row++ {
			path := filepath.Join(dir, fmt.Sprint("cut", row))
			rows := cutAt(t, db, q, format, path, row)
			if row == 3 { // the control: what is behind the last saved row stays
				if damaged := goOnDamaged(t, db, format, path); bytes.Equal(damaged, want) {
					t.Error("with half a row left in it, the file is the same: the test sees nothing")
				}
				continue
			}
			e, err := reopenExport(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.fill(quietCommand(t.Context()), db, format); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s %v, cut behind row %d: the file is another than one that was not cut: %v\n%s", c.format, c.what, row, err, got)
			}
			if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
				t.Errorf("beside the file there are still %v", left)
			}
			if rows <= row {
				break
			}
		}
	}
}

// goOnDamaged goes on with a file as one does that does not cut off what is behind the last saved row.
func goOnDamaged(t *testing.T, db *query.DB, format *exportFormat, path string) []byte {
	t.Helper()
	e, err := reopenExport(path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(e, "half a row")
	if err := e.fill(quietCommand(t.Context()), db, format); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestExport_Interrupted: Ctrl-C saves how far an export is, and a file that cannot go on is taken away.
func TestExport_Interrupted(t *testing.T) {
	db, q := exported(t)
	ended, end := context.WithCancel(t.Context())
	end()
	path := filepath.Join(t.TempDir(), "file")
	for _, resumes := range []bool{false, true} {
		e, err := createExport(path, exportState{Format: "ndjson", Question: q}, resumes)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		w := export.NewNDJSON(e)
		_, err = export.Write(t.Context(), db, q, export.Place{}, w, func(p export.Place, _ float64) error {
			if n++; n == 4 {
				return ended.Err()
			}
			return e.note(p)
		})
		err = e.leave(err)
		if !errors.Is(err, context.Canceled) || strings.Contains(hintOf(err), "--resume") != resumes {
			t.Errorf("resumes %v: %v, hint %q", resumes, err, hintOf(err))
		}
		if left, _ := filepath.Glob(path + "*"); len(left) != map[bool]int{false: 0, true: 2}[resumes] {
			t.Errorf("resumes %v: it leaves %v", resumes, left)
		}
	}
	info, err := os.Stat(path + ".part")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v; want 0600", info.Mode(), err)
	}
}

// TestExport_LinesAreThoseOfListings: what is exported as ndjson is what the listings print as JSON.
func TestExport_LinesAreThoseOfListings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	between := []string{"--since", "2026-11-23T03:10", "--until", "2026-11-23T03:12", "--data", dir}
	lines := func(text string) (kept []string) {
		for line := range strings.Lines(text) {
			if line == "# stderr\n" {
				break
			}
			for _, kind := range export.AllWhat {
				line = strings.Replace(line, `"what":"`+kind+`",`, "", 1)
			}
			line, _, _ = strings.Cut(line, `,"coverage":`)
			kept = append(kept, strings.TrimSuffix(strings.TrimSpace(line), "}"))
		}
		return kept
	}
	for what, listing := range map[string]string{export.Samples: "snapshots", export.Events: "events", export.Execs: "execs"} {
		got := lines(answerOf(t, append([]string{"export", "--format", "ndjson", "--what", what}, between...)...))
		want := lines(answerOf(t, append([]string{listing, "--limit", "0", "--json"}, between...)...))
		if len(got) != len(want)+1 || !slices.Equal(got[:len(want)], want) { // one more, of the coverage
			t.Errorf("%s: exported are\n%s\nand listed\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// kindsOf counts the lines of each kind.
func kindsOf(t *testing.T, text string) map[string]int {
	t.Helper()
	kinds := map[string]int{}
	for line := range strings.Lines(text) {
		var l struct{ What string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		kinds[l.What]++
	}
	return kinds
}

// TestExport_Kinds: all that is recorded is exported, once.
func TestExport_Kinds(t *testing.T) {
	db, q := exported(t)
	var out bytes.Buffer
	if _, err := export.Write(t.Context(), db, q, export.Place{}, export.NewNDJSON(&out), func(export.Place, float64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	got := kindsOf(t, out.String())
	events, err := query.Events(t.Context(), db, q.Filter)
	if err != nil {
		t.Fatal(err)
	}
	execs, err := query.Execs(t.Context(), db, q.Filter)
	if err != nil {
		t.Fatal(err)
	}
	snapshots, err := query.Snapshots(t.Context(), db, q.Range)
	if err != nil {
		t.Fatal(err)
	}
	if got[export.Execs] != len(execs) || len(execs) == 0 || got[export.Events] != len(events) || got[export.Samples] != len(snapshots) || got[export.Runs] != 2 || got[export.Gaps] == 0 || got["coverage"] != 1 || len(events) == 0 || len(snapshots) == 0 {
		t.Errorf("exported are %v; recorded are %d events, %d execs and %d snapshots", got, len(events), len(execs), len(snapshots))
	}
}
