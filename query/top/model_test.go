package top

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// now is the time of the tests' screens.
const now = 1_795_700_000.0

// testModel is a live model with a frame of so many processes: the lower the pid, the more CPU it uses and the less memory.
func testModel(t *testing.T, processes int) *Model {
	t.Helper()
	m, err := NewModel(Options{Location: time.UTC, User: testNames.user, Time: func(text string, now float64) (float64, error) {
		if text != "-10m" {
			return 0, errors.New("not a time")
		}
		return now - 600, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	m.Update(Ticked{now})
	m.Update(Framed{Frame: testFrame(now, processes)})
	m.Requests()
	return m
}

func testFrame(at float64, processes int) *Frame {
	f := &Frame{At: at, Made: now, Hosts: []Host{{HostAt: query.HostAt{Asked: at, Snapshot: query.Snapshot{Host: "dev", Timestamp: at - 1, CPUs: 8, MemTotal: 24576, MemUsed: 5200}}, Interval: 2}}}
	for i := 1; i <= processes; i++ {
		p := query.Process{PID: int64(i), PPID: int64(i / 2), Command: fmt.Sprintf("worker-%d --part %d", i, i), StartTicks: int64(i), UID: pointer(int64(1000 * (i % 2)))}
		p.State, p.CPUPercent, p.RSS, p.CPUSeconds, p.GPUMemory = "S", float64(processes-i), float64(i), float64(i), pointer(float64(i))
		f.Rows = append(f.Rows, Row{Host: "dev", Process: &p, ReadRate: pointer(float64(i)), WriteRate: pointer(1.0)})
	}
	last := &f.Rows[len(f.Rows)-1]
	last.End = &query.Event{Type: "exit", Timestamp: at - 1, Signal: pointer(int64(9)), Cause: "oom", PID: last.PID, StartTicks: last.StartTicks, Host: "dev", Command: last.Command}
	f.Deaths = []query.Event{*last.End}
	return f
}

func press1(m *Model, keys ...string) {
	for _, k := range keys {
		text := ""
		if len([]rune(k)) == 1 {
			text = k
		}
		m.Update(Pressed{k, text})
	}
}

func typed(m *Model, text string) {
	for _, r := range text {
		press1(m, string(r))
	}
}

// keyCase is what a key is to do.
type keyCase struct {
	given func(m *Model)
	did   func(m *Model, requests []Request) bool
}

func topPID(m *Model) int64 { return m.rows[0].PID }

func asked[T Request](requests []Request, ok func(T) bool) bool {
	for _, r := range requests {
		if v, is := r.(T); is && ok(v) {
			return true
		}
	}
	return false
}

func askedStep(to Stop, back bool) func(*Model, []Request) bool {
	return func(_ *Model, requests []Request) bool {
		return asked(requests, func(s AskStep) bool { return s.To == to && s.Back == back && s.From <= now })
	}
}

func inPast(m *Model) {
	goTo(m, now-600)
	m.Update(Framed{Frame: testFrame(now-600, 30)})
}

func sortedBy(pid int64, column string) keyCase {
	return keyCase{nil, func(m *Model, _ []Request) bool { return m.list.sort == column && topPID(m) == pid }}
}

func keys(names ...string) func(*Model) { return func(m *Model) { press1(m, names...) } }

var keyCases = map[string]keyCase{
	"Up":   {keys("down", "down"), func(m *Model, _ []Request) bool { return m.cursor.index == 1 }},
	"Down": {nil, func(m *Model, _ []Request) bool { return m.cursor.index == 1 }},
	"PgUp": {keys("end"), func(m *Model, _ []Request) bool { return m.cursor.index == 29-listHeight(m) }},
	"PgDn": {nil, func(m *Model, _ []Request) bool { return m.cursor.index == listHeight(m) }},
	"Home": {keys("end"), func(m *Model, _ []Request) bool { return m.cursor.index == 0 && m.cursor.top == 0 && !m.cursor.pinned }},
	"End":  {nil, func(m *Model, _ []Request) bool { return m.cursor.index == 29 }},
	"Esc":  {keys("?"), func(m *Model, _ []Request) bool { return m.screen == processesScreen }},
	"C P":  {keys("M"), func(m *Model, _ []Request) bool { return m.list.sort == "cpu" && topPID(m) == 1 }},
	"M":    sortedBy(30, "rss"),
	"D":    sortedBy(30, "disk"),
	"E":    sortedBy(30, "gpu"),
	"> F6": {nil, func(m *Model, _ []Request) bool { return m.list.sort == "rss" }},
	"<":    {nil, func(m *Model, _ []Request) bool { return m.list.sort == "state" }},
	"I":    {nil, func(m *Model, _ []Request) bool { return topPID(m) == 30 }},
	"/ F4": {nil, func(m *Model, _ []Request) bool {
		typed(m, "worker-3")
		press1(m, "enter")
		return len(m.rows) == 2 && m.prompt == nil
	}},
	"Ctrl-L": {func(m *Model) { press1(m, "/"); typed(m, "worker-3"); press1(m, "enter") }, func(m *Model, _ []Request) bool { return len(m.rows) == 30 }},
	"s F3": {nil, func(m *Model, _ []Request) bool {
		typed(m, "worker-12")
		press1(m, "enter")
		return selection(m).PID == 12
	}},
	"n": {func(m *Model) { press1(m, "s"); typed(m, "worker-2"); press1(m, "enter") }, func(m *Model, _ []Request) bool { return selection(m).PID == 20 }},
	"N": {func(m *Model) { press1(m, "s"); typed(m, "worker-2"); press1(m, "enter") }, func(m *Model, _ []Request) bool { return selection(m).PID == 29 }},
	"a": {func(m *Model) {
		m.frame.Rows[3].CPUPercent, m.frame.Rows[3].ReadRate, m.frame.Rows[3].WriteRate = 0, nil, nil
		arrange(m)
	},
		func(m *Model, _ []Request) bool { return len(m.rows) == 29 }},
	"x": {nil, func(m *Model, _ []Request) bool { return len(m.rows) == 29 }},
	"o": {keys("M"), func(m *Model, _ []Request) bool {
		f := testFrame(now+2, 30)
		f.Rows[4].RSS = 1000
		m.Update(Framed{Frame: f})
		return topPID(m) == 30
	}},
	"1": {keys("2"), func(m *Model, _ []Request) bool { return m.screen == processesScreen }},
	"2": {nil, func(m *Model, r []Request) bool {
		return m.screen == jobsScreen && asked(r, func(a AskJobs) bool { return a.At == now })
	}},
	"3": {nil, func(m *Model, _ []Request) bool {
		return m.screen == hostsScreen && strings.Contains(m.View().Plain(), "dev ")
	}},
	"4": {nil, func(m *Model, r []Request) bool {
		return m.screen == eventsScreen && asked(r, func(a AskEvents) bool { return a.At == now })
	}},
	"Tab":       {nil, func(m *Model, _ []Request) bool { return m.screen == jobsScreen }},
	"Shift-Tab": {nil, func(m *Model, _ []Request) bool { return m.screen == eventsScreen }},
	"Enter": {nil, func(m *Model, r []Request) bool {
		return m.screen == detailScreen && asked(r, func(a AskDetail) bool { return a.ID.PID == 1 })
	}},
	"i": {nil, func(m *Model, r []Request) bool {
		return m.screen == storyScreen && asked(r, func(a AskStory) bool { return a.ID.PID == 1 && a.At == now })
	}},
	"V F5": {nil, func(m *Model, _ []Request) bool { return strings.Contains(m.View().Plain(), "├─worker-2") }},
	"-": {keys("V"), func(m *Model, _ []Request) bool {
		return len(m.rows) == 1 && strings.Contains(m.View().Plain(), "+[29] worker-1")
	}},
	"+ =": {keys("V", "-"), func(m *Model, _ []Request) bool { return len(m.rows) == 30 }},
	"*":   {keys("V"), func(m *Model, _ []Request) bool { return len(m.rows) == 1 }},
	"g": {nil, func(m *Model, _ []Request) bool {
		return len(m.rows) == 2 && m.rows[0].CPUPercent+m.rows[1].CPUPercent == 435 && strings.Contains(m.View().Plain(), "root  [14] 1 ended, 1 failed")
	}},
	"F": {nil, func(m *Model, _ []Request) bool {
		press1(m, "/")
		typed(m, "nonesuch")
		return len(m.rows) == 1 && m.rows[0].PID == 1
	}},
	"u": {nil, func(m *Model, _ []Request) bool {
		return strings.Contains(m.View().Plain(), "1 tagged, 1 here now: CPU 29.0 %")
	}},
	"k F9": {func(m *Model) { m.opts.BootID, m.frame.Hosts[0].BootID = "boot", "boot" }, func(m *Model, _ []Request) bool {
		press1(m, "ctrl+u")
		typed(m, "hup")
		press1(m, "enter")
		return m.prompt == nil && asked(m.Requests(), func(a AskSignal) bool {
			return a.Signal == 1 && len(a.To) == 1 && a.To[0] == Target{1, 1, "worker-1 --part 1"}
		})
	}},
	"S F2": {nil, func(m *Model, _ []Request) bool {
		for range 11 {
			press1(m, "down")
		}
		press1(m, "enter", "esc")
		return strings.Contains(m.View().Plain(), "DISK/s")
	}},
	"t": {inPast, askedStep(StopSample, false)},
	"T": {nil, askedStep(StopSample, true)},
	"]": {inPast, askedStep(StopTrouble, false)},
	"[": {nil, askedStep(StopTrouble, true)},
	"}": {inPast, askedStep(StopHole, false)},
	"{": {nil, askedStep(StopHole, true)},
	"j": {inPast, func(m *Model, _ []Request) bool { typed(m, "90s"); press1(m, "enter"); return m.clock.at == now-510 }},
	"J": {nil, func(m *Model, _ []Request) bool {
		press1(m, "enter")
		return m.clock.mode == past && m.clock.at == now-300
	}},
	"b": {nil, func(m *Model, _ []Request) bool {
		typed(m, "-10m")
		press1(m, "enter")
		return m.clock.mode == past && m.clock.at == now-600
	}},
	"Space z": {nil, func(m *Model, _ []Request) bool { return m.clock.mode == held }},
	"r": {inPast, func(m *Model, _ []Request) bool {
		m.Update(Ticked{now + 1})
		return m.clock.mode == replay && m.clock.at == now-599
	}},
	"R": {func(m *Model) { inPast(m); press1(m, "r", "r", "r") }, func(m *Model, _ []Request) bool { return m.clock.speed == 2 }},
	",": {inPast, func(m *Model, _ []Request) bool { return m.clock.mode == live }},
	".": {inPast, func(m *Model, requests []Request) bool {
		return m.clock.mode == live && asked(requests, func(a AskFrame) bool { return a.At == 0 })
	}},
	"? h F1":       {nil, func(m *Model, _ []Request) bool { return strings.Contains(m.View().Plain(), "Moving") }},
	"q F10 Ctrl-C": {nil, func(_ *Model, requests []Request) bool { return asked(requests, func(Quit) bool { return true }) }},
	"Ctrl-Z":       {nil, func(_ *Model, requests []Request) bool { return asked(requests, func(Suspend) bool { return true }) }},
}

// TestKeys_EachDoesWhatItSays presses every key of the table. The control is the same without the key: then nothing may have been done.
func TestKeys_EachDoesWhatItSays(t *testing.T) {
	for _, k := range Keys {
		c, ok := keyCases[k.Name]
		if !ok {
			t.Errorf("no test presses %s", k.Name)
			continue
		}
		for _, key := range append([]string{""}, k.Keys...) {
			m := testModel(t, 30)
			if c.given != nil {
				c.given(m)
			}
			m.Requests()
			if key != "" {
				press1(m, key)
			}
			if did := c.did(m, m.Requests()); did != (key != "") {
				t.Errorf("%s, pressed as %q: done %v", k.Name, key, did)
			}
		}
	}
}

func TestKeys_AreOneEach(t *testing.T) {
	seen := map[string]string{}
	for _, k := range Keys {
		for _, key := range k.Keys {
			if other, ok := seen[key]; ok && len(k.on) == 0 {
				t.Errorf("%s is of %s and of %s", key, other, k.Name)
			}
			seen[key] = k.Name
		}
		if k.Help == "" || k.do == nil || k.Part == "" {
			t.Errorf("%s is half an entry", k.Name)
		}
	}
}

// TestCursor_StaysWithItsProcess moves the figures: the selected process stays on its line, and one that went stays until the cursor moves.
func TestCursor_StaysWithItsProcess(t *testing.T) {
	m := testModel(t, 30)
	press1(m, "down", "down")
	f := testFrame(now+2, 30)
	f.Rows[2].CPUPercent = 0.5 // to the end
	m.Update(Framed{Frame: f})
	if r := selection(m); r.PID != 3 || m.cursor.index < 27 {
		t.Errorf("the cursor is on %d at %d, want 3", r.PID, m.cursor.index)
	}
	f = testFrame(now+4, 30)
	f.Rows = append(f.Rows[:2], f.Rows[3:]...)
	m.Update(Framed{Frame: f})
	if r := selection(m); r.PID != 3 || !r.Missing || len(m.rows) != 30 {
		t.Errorf("the process that went: %d, missing %v, %d rows", r.PID, r.Missing, len(m.rows))
	}
	press1(m, "up")
	if r := selection(m); r.PID == 3 || len(m.rows) != 29 {
		t.Errorf("the cursor is still on the process that went: %d of %d rows", r.PID, len(m.rows))
	}
}

// TestCursor_FirstRowUntilItIsMoved keeps the busiest in sight of whoever touches nothing.
func TestCursor_FirstRowUntilItIsMoved(t *testing.T) {
	m := testModel(t, 30)
	f := testFrame(now+2, 30)
	f.Rows[9].CPUPercent = 900
	m.Update(Framed{Frame: f})
	if r := selection(m); r.PID != 10 || m.cursor.top != 0 {
		t.Errorf("the cursor is on %d", r.PID)
	}
}

// stale finds a figure of a process on a screen that must not show any: with a gap, and while a frame is awaited, only as faint.
func showsFigures(screen string) bool { return strings.Contains(screen, " 1G ") }

// TestGap_ShowsNoStaleFigure shows a time in a hole. The control is the same frame without the hole.
func TestGap_ShowsNoStaleFigure(t *testing.T) {
	for _, hole := range []bool{true, false} {
		m := testModel(t, 30)
		goTo(m, now-600)
		f := testFrame(now-600, 5)
		f.Rows = f.Rows[:4]
		f.Rows[0].RSS = 1024
		if hole {
			f.Hosts[0].Hole = &query.Hole{Host: "dev", From: now - 610, To: now - 567}
			for i := range f.Rows {
				f.Rows[i].Missing = true
			}
		}
		m.Update(Framed{Frame: f})
		screen := m.View().Plain()
		if showsFigures(screen) == hole || strings.Contains(screen, "▨ GAP") != hole || strings.Contains(screen, "43.0s") != hole {
			t.Errorf("with a hole %v:\n%s", hole, screen)
		}
		if strings.Contains(screen, "LIVE") {
			t.Errorf("the past is shown as live:\n%s", screen)
		}
	}
}

// TestModes_AreTold shows each state of the clock by its word.
func TestModes_AreTold(t *testing.T) {
	for word, given := range map[string]func(*Model){
		"● LIVE": nil, "‖ HELD +3": func(m *Model) { press1(m, "z"); m.Update(Ticked{now + 3}) }, "◀ PAST −10m00s": inPast, "… READING": func(m *Model) { goTo(m, now-600) },
		"▶ 2×": func(m *Model) { inPast(m); press1(m, "r", "r") }, "… STALE 8.00s": func(m *Model) { m.Update(Ticked{now + 7}) },
		"cannot read: no database": func(m *Model) { m.Update(Framed{Err: errors.New("no database")}) },
	} {
		m := testModel(t, 30)
		if given != nil {
			given(m)
		}
		if screen := m.View().Plain(); !strings.Contains(screen, word) {
			t.Errorf("no %q:\n%s", word, screen)
		}
	}
}

// TestView_FitsAnySize draws every size: no line is wider than the screen, and there are as many as it has.
func TestView_FitsAnySize(t *testing.T) {
	m := testModel(t, 30)
	m.frame.Rows[0].Command = "日本語 e\u0301 \x1b[2J \u202e 🚀 " + strings.Repeat("x", 300)
	for _, key := range []string{"esc", "?", "/"} {
		press1(m, key)
		for _, w := range []int{1, 39, 40, 41, 80, 120, 300} {
			for _, h := range []int{1, 11, 12, 16, 20, 24, 100} {
				m.Update(Sized{w, h})
				s := m.View()
				if len(s.lines) > h {
					t.Errorf("%d×%d has %d lines", w, h, len(s.lines))
				}
				for _, l := range s.lines {
					if l.width() > w {
						t.Errorf("%d×%d has a line of %d cells: %v", w, h, l.width(), l)
					}
				}
				if strings.ContainsAny(s.Plain(), "\x1b\u202e") {
					t.Errorf("%d×%d: a command steers the terminal", w, h)
				}
			}
		}
	}
}

// TestView_ASCII draws with ASCII alone, as wide as otherwise.
func TestView_ASCII(t *testing.T) {
	m := testModel(t, 30)
	m.glyphs = &asciiGlyphs
	m.frame.Rows[0].Command = "größe"
	for _, key := range []string{"esc", "?"} {
		press1(m, key)
		if screen := m.View().Plain(); !isASCII(screen) {
			t.Errorf("not ASCII:\n%s", screen)
		}
	}
}

// TestScreens_RunsAndStories unfolds the runs of a job, and opens the stories of what is on the screens.
func TestScreens_RunsAndStories(t *testing.T) {
	m := testModel(t, 30)
	m.frame.Rows[1].JobID, m.frame.Rows[1].Sheet, m.frame.Rows[1].Host = pointer("build-7"), pointer(int64(3)), "dev"
	m.frame.Hosts[0].Coverage = &query.Coverage{Percent: 40, Reasons: []query.Reason{{Kind: "missed_ticks", Seconds: pointer(25.0), Count: pointer(int64(4))}}}
	press1(m, "2", "enter")
	ended := []query.RunStep{{Sheet: 1, Started: pointer(now - 400), Ended: pointer(now - 390), ExitCode: pointer(int64(2))}}
	m.Update(JobsRead{Jobs: &Jobs{Jobs: []query.Job{{JobID: "build-7", JobScope: query.JobScope{Host: "dev"}}}, Runs: map[string][]query.Run{"build-7": {
		{ID: "b2", JobID: "build-7", Host: "dev", Number: 2, Started: now - 60, Steps: []query.RunStep{{Sheet: 3, Started: pointer(now - 60)}}},
		{ID: "b1", JobID: "build-7", Host: "dev", Number: 1, Started: now - 400, Ended: pointer(now - 300), ExitCode: pointer(int64(2)), Steps: ended},
		{ID: "x1", JobID: "build-7", Host: "other", Number: 9, Started: now - 400}}}}})
	press1(m, "enter", "down", "enter", "down", "enter", "down", "down", "enter")
	has(t, m, "run 2", "● run", "step 3", "worker-2", "run 1", "✕ exit 2", "step 1", "1m40s")
	if strings.Contains(m.View().Plain(), "run 9") {
		t.Error("the run of another host's job is among the job's")
	}
	m.Requests()
	press1(m, "i")
	if !asked(m.Requests(), func(a AskStory) bool { return a.Job == "build-7" && a.Run == "b1" && a.At == now }) {
		t.Error("the story of the run is not asked for")
	}
	m.Update(StoryRead{Of: AskStory{Job: "another"}, Lines: []string{"of another run"}})
	m.Update(StoryRead{Of: m.storyOf, Lines: []string{"it failed in \x1b[31mstep 1"}})
	has(t, m, "job build-7", "it failed in")
	if screen := m.View().Plain(); strings.Contains(screen, "another") || strings.Contains(screen, "\x1b") {
		t.Errorf("the story is another's, or steers the terminal: %q", screen)
	}
	press1(m, "esc")
	if m.screen != jobsScreen {
		t.Errorf("Esc leads from a story to screen %d", m.screen)
	}
	press1(m, "3", "i")
	has(t, m, "host dev", "cores", "of which", "40.0 % of the hour before", "missed ticks, 25.0s, 4", "it sees")
	press1(m, "1", "i")
	if !asked(m.Requests(), func(a AskStory) bool { return a.ID.PID > 0 && a.Job == "" }) {
		t.Error("the story of a process is not asked for")
	}
}

// has checks that texts are on the screen.
func has(t *testing.T, m *Model, texts ...string) {
	t.Helper()
	screen := m.View().Plain()
	for _, want := range texts {
		if !strings.Contains(screen, want) {
			t.Errorf("no %q on the screen:\n%s", want, screen)
		}
	}
}

// TestScreens_ShowWhatIsKnown fills the screens and opens their rows.
func TestScreens_ShowWhatIsKnown(t *testing.T) {
	m := testModel(t, 30)
	m.frame.Rows[1].JobID, m.frame.Rows[1].Sheet = pointer("build-7"), pointer(int64(3))
	press1(m, "2")
	m.Update(JobsRead{Jobs: &Jobs{Jobs: []query.Job{{JobID: "build-7", CPUSeconds: 12, OOMs: 1}}}})
	press1(m, "enter")
	if !asked(m.Requests(), func(a AskJobs) bool { return len(a.Open) == 1 && a.Open[0] == "build-7" }) {
		t.Error("the steps of the job were not asked for")
	}
	m.Update(JobsRead{Jobs: &Jobs{Jobs: m.jobs.Jobs, Steps: map[string]map[int64]query.Sheet{"build-7": {3: {PeakRSS: 512}}}}})
	press1(m, "down", "enter", "down")
	screen := m.View().Plain()
	for _, want := range []string{"-build-7", "● run", "step 3", "512M", "worker-2 --part 2"} {
		if !strings.Contains(screen, want) {
			t.Errorf("no %q among the jobs:\n%s", want, screen)
		}
	}
	press1(m, "enter")
	m.Update(DetailRead{Detail: &Detail{ID: m.of, Points: []query.HistoryPoint{{Process: *m.frame.Rows[1].Process}}, Events: []query.Event{{Type: "spawn", PID: 2, Timestamp: now - 50}}}})
	screen = m.View().Plain()
	for _, want := range []string{"process 2 on dev", "worker-2 --part 2", "born of   worker-1 1", "job build-7·3", "CPU%", "faults ?", "· spawn"} {
		if !strings.Contains(screen, want) {
			t.Errorf("no %q in the detail:\n%s", want, screen)
		}
	}
	press1(m, "4")
	from := now - 200
	m.Update(EventsRead{Events: &Happenings{Events: []query.Event{{Type: "spawn", PID: 9, Timestamp: now - 300, Host: "dev"}, {Type: "exit", Signal: pointer(int64(9)), Cause: "oom", PID: 8, Timestamp: now - 100, Host: "dev", Command: "ld"}},
		Gaps: []query.Gap{{Timestamp: now - 190, Kind: "restart", From: &from}}}})
	screen = m.View().Plain()
	if a, b, c := strings.Index(screen, "■ OOM       "), strings.Index(screen, "▨ gap restart"), strings.Index(screen, "· spawn"); a < 0 || b < a || c < b {
		t.Errorf("the events:\n%s", screen)
	}
	press1(m, "home", "enter")
	if m.screen != processesScreen || m.clock.at != now-100 || m.cursor.id.PID != 8 {
		t.Errorf("an event opens screen %d at %f, process %d", m.screen, m.clock.at-now, m.cursor.id.PID)
	}
}

// TestModel_AnyKeys presses keys at random, with answers and sizes in between: nothing panics, and every screen fits.
func TestModel_AnyKeys(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	var all []string
	for _, k := range Keys {
		all = append(all, k.Keys...)
	}
	all = append(all, "a", "1", "=", "~", "(", "|", "backspace", "ctrl+u", "left", "日")
	m := testModel(t, 30)
	for range 5000 {
		switch random.IntN(8) {
		case 0:
			m.Update(Sized{random.IntN(200), random.IntN(60)})
		case 1:
			f := testFrame(shown(m), 1+random.IntN(40))
			if random.IntN(3) == 0 {
				f.Hosts[0].Hole = &query.Hole{From: now - 100, To: now - 50}
			}
			about(f, episode(int64(random.IntN(50)), schema.Severities[random.IntN(4)], 10))
			m.Update(Framed{Frame: f})
		case 2:
			m.Update(Framed{Frame: &Frame{At: shown(m), Made: now}})
			m.Update(JobsRead{Jobs: &Jobs{Jobs: []query.Job{{JobID: "a"}, {JobID: "b"}}, Runs: map[string][]query.Run{"a": {{ID: "1", Number: 1, Steps: []query.RunStep{{Sheet: 1}}}}}}})
		case 3:
			found := []query.Anomaly{episode(1, schema.SeverityHigh, 3), {AnomalySubject: query.AnomalySubject{Kind: schema.AboutJob}}}
			m.Update(EventsRead{Events: &Happenings{Events: []query.Event{{Type: "exit", Timestamp: now - 5}}, Anomalies: found}})
			m.Update(DetailRead{Detail: &Detail{ID: m.of, Anomalies: found}})
			m.Update(StoryRead{Of: m.storyOf, Lines: []string{"told", strings.Repeat("long ", 60)}})
			m.Update(Stepped{AskStep{}, now - float64(random.IntN(500)), nil})
		default:
			press1(m, all[random.IntN(len(all))])
		}
		m.Requests()
		s := m.View()
		if len(s.lines) > max(1, m.height) {
			t.Fatalf("seed %d: %d lines on %d", seed, len(s.lines), m.height)
		}
		for _, l := range s.lines {
			if l.width() > m.width {
				t.Fatalf("seed %d: a line of %d cells on %d: %v", seed, l.width(), m.width, l)
			}
		}
	}
}
