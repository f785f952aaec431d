package export

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query"
)

// name is what a process is called: its program and its pid.
func name(command string, pid int64) string {
	first, _, _ := strings.Cut(command, " ")
	if strings.HasPrefix(command, "[") { // a kernel thread
		first = command
	} else if base := path.Base(first); base != "." && base != "/" {
		first = strings.TrimSuffix(base, ":")
	}
	if first == "" {
		first = "process"
	}
	return fmt.Sprintf("%s [%d]", first, pid)
}

// about tells whose a process is.
func about(job *string, step, uid *int64) (notes []note) {
	if job != nil {
		notes = append(notes, note{"job_id", *job})
	}
	if step != nil {
		notes = append(notes, note{"sheet_num", *step})
	}
	if uid != nil {
		notes = append(notes, note{"uid", *uid})
	}
	return notes
}

// outcome says how a process ended.
func outcome(e *query.Event) string {
	switch {
	case e.Signal != nil && e.Cause == "oom":
		return signalName(*e.Signal) + ", out of memory"
	case e.Signal != nil:
		return signalName(*e.Signal)
	case e.ExitCode != nil:
		return fmt.Sprintf("exit %d", *e.ExitCode)
	}
	return "unknown"
}

// endOf tells of an end what is known of it.
func endOf(e *query.Event) []note {
	notes := append([]note{{"end", outcome(e)}}, endNotes(e.ExitCode, e.Signal)...)
	for _, n := range []struct {
		name  string
		value *float64
	}{{"cpu_seconds", e.CPUSeconds}, {"peak_rss_mb", e.PeakRSS}, {"read_mb", e.Read}, {"write_mb", e.Write}, {"end_within_seconds", e.Within}} {
		if n.value != nil {
			notes = append(notes, note{n.name, *n.value})
		}
	}
	if e.Details != "" {
		notes = append(notes, note{"details", e.Details})
	}
	return notes
}

// endNotes tell how something ended.
func endNotes(exit, signal *int64) (notes []note) {
	if exit != nil {
		notes = append(notes, note{"exit_code", *exit})
	}
	if signal != nil {
		notes = append(notes, note{"signal", signalName(*signal)})
	}
	return notes
}

func totalNotes(t *query.Totals) (notes []note) {
	if t.CPUSeconds != nil {
		notes = append(notes, note{"cpu_seconds", *t.CPUSeconds})
	}
	if t.PeakRSS != nil {
		notes = append(notes, note{"peak_rss_mb", *t.PeakRSS})
	}
	return notes
}

func signalName(n int64) string {
	return cmp.Or(unix.SignalName(unix.Signal(n)), fmt.Sprintf("signal %d", n))
}

// deref is a value, or the zero of its type when it is not known.
func deref[T any](v *T) (known T) {
	if v != nil {
		known = *v
	}
	return known
}

func sortedKeys[T any](m map[string]T) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
