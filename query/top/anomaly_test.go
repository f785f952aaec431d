package top

import (
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// episode is about the process of a pid of a test's frame, and began so many seconds before its time.
func episode(pid int64, severity schema.Severity, before float64) query.Anomaly {
	a := query.Anomaly{ID: "e", Host: "dev", Rule: "memory_spike", Severity: severity, Started: now - before, Description: "it has 2 \x1b[2J times <b>as much</b>"}
	a.Kind, a.PID, a.StartTicks, a.Command = schema.AboutProcess, pointer(pid), pointer(pid), pointer("/usr/bin/worker --part")
	return a
}

// about adds episodes to a frame, as a source does.
func about(f *Frame, episodes ...query.Anomaly) *Frame {
	f.Anomalies, f.Found = episodes, episodes
	for i := range f.Rows {
		for j := range episodes {
			if id, of := aboutProcess(&episodes[j]); of && id == f.Rows[i].ID() {
				f.Rows[i].Severity = worse(f.Rows[i].Severity, episodes[j].Severity)
			}
		}
	}
	return f
}

// TestAnomalies_AreMarked shows a process with an episode: in its row, in its group, on its host, in the title and in the alert line, in Unicode and in ASCII.
// The control is the same frame without it.
func TestAnomalies_AreMarked(t *testing.T) {
	for _, found := range []bool{true, false} {
		for ascii, mark := range map[bool]string{false: "◆!!", true: "*!!"} {
			m := testModel(t, 30)
			if ascii {
				m.glyphs = &asciiGlyphs
			}
			f := testFrame(now, 30)
			f.Deaths[0].Timestamp = now - 500
			if found {
				about(f, episode(4, schema.SeverityLow, 95), episode(3, schema.SeverityCritical, 90))
			}
			m.Update(Framed{Frame: f})
			screens := map[string]string{"rows": m.View().Plain()}
			wants := map[string][]string{"rows": {mark + " worker-3 ", mark[:len(mark)-2] + " worker-4 ", mark + " anomalies 2", mark + " memory_spike "}}
			press1(m, "g")
			screens["groups"], wants["groups"] = m.View().Plain(), []string{mark + " ci"}
			press1(m, "esc", "3")
			screens["hosts"], wants["hosts"] = m.View().Plain(), []string{mark + "2 dev"}
			press1(m, "i")
			screens["host"], wants["host"] = m.View().Plain(), []string{"anomaly     " + mark + " memory_spike", "goes on for 1m30s"}
			for name, screen := range screens {
				for _, want := range wants[name] {
					if strings.Contains(screen, want) != found {
						t.Errorf("%s, with episodes %v: %q\n%s", name, found, want, screen)
					}
				}
				if strings.Contains(screen, "\x1b") {
					t.Errorf("%s steers the terminal", name)
				}
			}
		}
	}
}

// TestAnomalies_OfPast shows a time before an episode, one within it, and one after it.
func TestAnomalies_OfPast(t *testing.T) {
	a := episode(3, schema.SeverityHigh, 500)
	a.Ended = pointer(now - 400)
	for at, on := range map[float64]bool{now - 501: false, now - 500: true, now - 401: true, now - 400: false} {
		if goesOn(&a, at) != on {
			t.Errorf("%g s before: goes on %v", now-at, !on)
		}
	}
}

// TestAnomalies_SeekTheProcess goes to the start of an episode: the process it is about is selected, but a death in the same moment comes first.
func TestAnomalies_SeekTheProcess(t *testing.T) {
	for _, death := range []bool{false, true} {
		m := testModel(t, 30)
		m.Update(Stepped{AskStep{To: StopTrouble, Back: true}, now - 600, nil})
		f := testFrame(now-600, 30)
		f.Rows[29].End.Timestamp = now - 700
		want := int64(7)
		if death {
			f.Rows[29].End.Timestamp, want = now-600, 30
		}
		m.Update(Framed{Frame: about(f, episode(7, schema.SeverityHigh, 600))})
		if r := selection(m); r == nil || r.PID != want {
			t.Errorf("with a death %v: selected %+v, want %d", death, r, want)
		}
	}
}

// TestAnomalies_OnTheScreens has episodes among the events, in the detail of a process, at runs of a job and on the time line.
func TestAnomalies_OnTheScreens(t *testing.T) {
	m := testModel(t, 30)
	a := episode(3, schema.SeverityHigh, 90)
	a.JobID = pointer("build-7")
	of := query.Anomaly{ID: "r", Host: "dev", Rule: "slow_run", Severity: schema.SeverityMedium, Started: now - 300, Ended: pointer(now - 300), Description: "run took long"}
	of.Kind, of.JobID, of.Run = schema.AboutRun, pointer("build-7"), pointer("b1")
	m.Update(Framed{Frame: about(testFrame(now, 30), a)})
	press1(m, "4")
	m.Update(EventsRead{Events: &Happenings{Events: []query.Event{{Type: "spawn", PID: 9, Timestamp: now - 95}, {Type: "spawn", PID: 10, Timestamp: now - 80}}, Anomalies: []query.Anomaly{of, a}}})
	screen := m.View().Plain()
	if x, y := strings.Index(screen, "◆! memory_spike"), strings.Index(screen, "◆ slow_run"); x < 0 || y < x || strings.Index(screen, "     10 (not") > x {
		t.Errorf("the events:\n%s", screen)
	}
	has(t, m, "◆! memory_spike worker 3, build-7, goes on for 1m30s: it has", "◆ slow_run run of build-7, of a moment: run took long")
	press1(m, "down", "i")
	if !asked(m.Requests(), func(q AskStory) bool { return q.ID.PID == 3 && q.ID.Host == "dev" }) {
		t.Error("i on an episode does not tell the story of its process")
	}
	press1(m, "esc", "down", "down", "i")
	if !asked(m.Requests(), func(q AskStory) bool { return q.Job == "build-7" && q.Run == "b1" && q.Host == "dev" }) {
		t.Error("i on an episode of a run does not tell that of the run")
	}
	press1(m, "esc", "home", "down", "enter")
	if m.screen != processesScreen || m.clock.at != now-90 {
		t.Errorf("Enter on an episode leads to screen %d, %g s before", m.screen, now-m.clock.at)
	}
	press1(m, ".")
	m.Update(Framed{Frame: about(testFrame(now, 30), a)})
	openDetail(m, ID{Host: "dev", PID: 3, Start: 3})
	m.Update(DetailRead{Detail: &Detail{ID: m.of, Anomalies: []query.Anomaly{a}}})
	has(t, m, "anomaly   ◆! memory_spike  since", "goes on for 1m30s")
	press1(m, "2")
	job := query.Job{JobID: "build-7", JobScope: query.JobScope{Host: "dev"}}
	runs := []query.Run{{ID: "b2", JobID: "build-7", Host: "dev", Number: 2, Started: now - 100}, {ID: "b1", JobID: "build-7", Host: "dev", Number: 1, Started: now - 400, Ended: pointer(now - 300)}}
	m.unfolded["build-7"] = true
	m.Update(JobsRead{Jobs: &Jobs{Jobs: []query.Job{job}, Runs: map[string][]query.Run{"build-7": runs}, Found: []query.Anomaly{of}}})
	has(t, m, "-◆! build-7", "+◆! run 2", "+◆ run 1")
	press1(m, "1")
	m.line = newLine(query.Range{Since: now - 600, Until: now}, 60, now-600, now)
	at, _ := m.line.at(now - 90)
	m.line.Cells[at].Anomaly = schema.SeverityHigh
	marks := lineView(m)[1]
	if got := marks[1+at]; got.text != "◆" || got.role != bad {
		t.Errorf("the time line has %v", got)
	}
}
