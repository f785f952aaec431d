package web_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query/web"
	"github.com/proctape/proctape/schema"
)

// Processes are told by the names of their programs where that is asked for, and what they use rises from one scrape to the next.
func TestMetrics_ProcessNames(t *testing.T) {
	w := newWorldWith(t, 2, func(w *world) { w.put(w.loaded("beta", "other", 3)...) })
	now := began
	s := w.serveWith(0, func(cfg *web.Config) {
		cfg.ProcessNames, cfg.Now = []string{"no*", "work*"}, func() time.Time { return now }
	})
	at := func(i int, want ...string) {
		t.Helper()
		now = began.Add(time.Duration(i)*time.Second + time.Second/2)
		_, body := s.get("/metrics")
		lint(t, body)
		for _, line := range want {
			if !strings.Contains(string(body), "\nnamedprocess_namegroup_"+line+"\n") {
				t.Errorf("at %d s: %s is not there:\n%s", i, line, grep(string(body), "cpu_seconds"))
			}
		}
		if strings.Contains(string(body), "alert(1)") {
			t.Errorf("at %d s: a program is told that nobody asked for", i)
		}
	}
	rss := 200*1000 + 199*100 // KiB
	at(0, `num_procs{groupname="worker",host="beta"} 200`, `num_threads{groupname="worker",host="beta"} 200`, `states{groupname="worker",host="beta",state="Sleeping"} 200`,
		`states{groupname="worker",host="beta",state="Zombie"} 0`, fmt.Sprintf(`memory_bytes{groupname="worker",host="beta",memtype="resident"} %v`, float64(rss*1024)),
		`cpu_seconds_total{groupname="worker",host="beta",mode="total"} 0`)
	at(2, `num_procs{groupname="worker",host="beta"} 200`, `cpu_seconds_total{groupname="worker",host="beta",mode="total"} 50`)
	at(-10, `num_procs{groupname="worker",host="beta"} 0`, `cpu_seconds_total{groupname="worker",host="beta",mode="total"} 50`) // none is there: the group stays
}

// Without names there are no such metrics, and of very many names no more are told than the limit, and the others counted.
func TestMetrics_ProcessNamesAreBounded(t *testing.T) {
	w := newWorldWith(t, 1, func(w *world) {
		w.publish(1, schema.KindSnapshot, func(m *schema.Message) {
			var all []schema.Process
			for i := range 250 {
				all = append(all, schema.Process{PID: 100 + i, StartTicks: uint64(1 + i), Command: fmt.Sprintf("/bin/p%d -x", i), State: "S", Threads: 1})
			}
			m.Snapshot = &schema.Snapshot{Tick: 2, Interval: int64(time.Second), PressureLevel: "none", Processes: schema.ProcessesOf(all...)}
		})
	})
	for patterns, want := range map[string][2]int{"": {0, -1}, "p1*": {111, 0}, "p*": {200, 50}} {
		s := w.serveWith(0, func(cfg *web.Config) {
			cfg.Now = func() time.Time { return began.Add(2 * time.Second) }
			if patterns != "" {
				cfg.ProcessNames = []string{patterns}
			}
		})
		for range 2 { // the same ones again
			_, body := s.get("/metrics")
			if got := strings.Count(string(body), "\nnamedprocess_namegroup_num_procs{"); got != want[0] {
				t.Errorf("%q: %d groups, want %d", patterns, got, want[0])
			}
			if line := fmt.Sprintf("\nproctape_process_names_left_out %d\n", want[1]); strings.Contains(string(body), line) != (want[1] >= 0) {
				t.Errorf("%q: %q is not as it should be", patterns, line)
			}
		}
		s.stop()
	}
	if _, err := web.New(web.Config{DB: w.db, Token: token, ProcessNames: []string{"[a"}}); err == nil {
		t.Error("a pattern that is none is taken")
	}
}

// exporterSeries are the metrics of a group that process-exporter documents, in its README as of version 0.8, with the values of the label beside groupname. Its dashboards
// (249 at grafana.com is its own) ask for these, by the name of a group and these labels, and sum over what is left out. Those of threads, and threads_wchan and the
// proportional memory, it has only when it is asked to.
var exporterSeries = []struct {
	name, label string
	values      []string
}{
	{"num_procs", "", nil},
	{"num_threads", "", nil},
	{"cpu_seconds_total", "mode", []string{"user", "system"}},
	{"read_bytes_total", "", nil},
	{"write_bytes_total", "", nil},
	{"major_page_faults_total", "", nil},
	{"minor_page_faults_total", "", nil},
	{"context_switches_total", "ctxswitchtype", []string{"voluntary", "nonvoluntary"}},
	{"memory_bytes", "memtype", []string{"resident", "virtual", "swapped"}},
	{"open_filedesc", "", nil},
	{"worst_fd_ratio", "", nil},
	{"oldest_start_time_seconds", "", nil},
	{"states", "state", []string{"Running", "Sleeping", "Waiting", "Zombie", "Other"}},
}

// otherLabels are where a label has another value here, by what samples know.
var otherLabels = map[string][]string{"mode": {"total"}}

// missingSeries are those of process-exporter's that a scrape does not have of a group.
func missingSeries(body, group string) (missing []string) {
	for _, e := range exporterSeries {
		values := e.values
		if others := otherLabels[e.label]; others != nil {
			values = others
		}
		if e.label == "" {
			values = []string{""}
		}
		for _, v := range values {
			labels := []string{fmt.Sprintf(`groupname="%s"`, group), `host="alpha"`}
			if v != "" {
				labels = append(labels, fmt.Sprintf(`%s="%s"`, e.label, v))
			}
			slices.Sort(labels)
			if line := "\nnamedprocess_namegroup_" + e.name + "{" + strings.Join(labels, ",") + "} "; !strings.Contains(body, line) {
				missing = append(missing, strings.TrimSpace(line))
			}
		}
	}
	return missing
}

// Each series that a dashboard of process-exporter asks for is there of a group of whose processes all is known. The control is a group of which little is.
func TestMetrics_AsProcessExporterHasThem(t *testing.T) {
	some := schema.Some[int64]
	w := newWorldWith(t, 0, func(w *world) {
		w.publish(1, schema.KindSnapshot, func(m *schema.Message) {
			m.Snapshot = &schema.Snapshot{Tick: 2, Interval: int64(time.Second), PressureLevel: "none", Processes: schema.ProcessesOf(
				schema.Process{PID: 20, StartTicks: 3, Command: "whole", State: "R", Threads: 2, RSS: some(100), VMS: some(200), OpenFDs: some(512), FDLimit: some(1024), Swap: some(1), ReadKiB: some(5), WriteKiB: some(6),
					MinorFaults: some(7), MajorFaults: some(8), VoluntarySwitches: some(9), InvoluntarySwitches: some(10)},
				schema.Process{PID: 21, StartTicks: 4, Command: "little", State: "S"})}
		})
	})
	s := w.serveWith(0, func(cfg *web.Config) {
		cfg.ProcessNames, cfg.Now = []string{"*"}, func() time.Time { return began.Add(2 * time.Second) }
	})
	_, body := s.get("/metrics")
	if missing := missingSeries(string(body), "whole"); len(missing) > 0 {
		t.Errorf("there is no %v", missing)
	}
	if missing := missingSeries(string(body), "little"); len(missing) < 8 {
		t.Errorf("of a process of which little is known only %v are missing", missing)
	}
	if !strings.Contains(string(body), "worst_fd_ratio{groupname=\"whole\",host=\"alpha\"} 0.5\n") {
		t.Error(grep(string(body), "worst_fd"))
	}
}

// grep are the lines that have a text.
func grep(text, part string) (found string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			found += line
		}
	}
	return found
}
