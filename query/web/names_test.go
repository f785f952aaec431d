package web_test

import (
	"fmt"
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

// grep are the lines that have a text.
func grep(text, part string) (found string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			found += line
		}
	}
	return found
}
