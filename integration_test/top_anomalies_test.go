package integration_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// anomalySteps lead through the screens that show what rules found.
var anomalySteps = []topStep{
	{"processes", "", "anomalies 3"},
	{"tree", "V", "─"},
	{"groups", "V g", "grouped by user"},
	{"", "esc", "!grouped by user"},
	{"jobs", "2", "SPAWNS"},
	{"runs", "enter", "run 1"},
	{"hosts", "3", "MEM  "},
	{"host", "i", "it sees"},
	{"events", "4", "memory_spike"},
	{"", "esc", "CPU%▼"},
	{"the start before", "[", "03:10:30"},
	{"detail", "enter", "born of"},
	{"why", "i", "memory_spike, critical"},
}

// withEpisodes puts episodes into a stored recording, as rules would have found them: about a process, a run that goes on, and a host; and one that is over.
func withEpisodes(t *testing.T, path string) string {
	t.Helper()
	db := writable(t, path)
	for _, e := range []struct{ id, host, rule, severity, more string }{
		{"a1", "build-07", "memory_spike", "critical", `subject='process', pid=3951, start_ticks=(SELECT start_ticks FROM processes WHERE pid=3951), command='ld.lld -o app', job_id='build-7', sheet_num=2,
			started=1795403430, noticed=1795403430, last_seen=1795403440, description='ld.lld has 5.0 GiB, 3.4 times what it had 30 s before'`},
		{"a2", "build-07", "runaway_process", "medium", `subject='process', pid=4100, start_ticks=(SELECT start_ticks FROM processes WHERE pid=4100), command='node mcp-server.js', job_id='agent-7f3',
			started=1795403320, noticed=1795403380, last_seen=1795403440, description='node uses 94 % of a processor'`},
		{"a3", "web-01", "memory_pressure", "high", `subject='host', started=1795403400, noticed=1795403400, last_seen=1795403440, description='8 % of the memory is left'`},
		{"a4", "build-07", "fork_storm", "low", `subject='host', started=1795403300, noticed=1795403300, last_seen=1795403305, ended=1795403310, end_reason='recovered', description='600 more processes <b>than</b> before'`},
	} {
		_, err := db.Exec(`INSERT INTO anomalies(episode_id, id, revision, host_id, boot_id, rule, rule_digest, type, severity, subject, started, noticed, peaked, last_seen, samples, description)
			VALUES(?, 1, 1, (SELECT id FROM hosts WHERE name=?), 'boot', ?, '', ?, ?, 'host', 0, 0, 0, 0, 3, '')`, e.id, e.host, e.rule, e.rule, e.severity)
		if err == nil {
			_, err = db.Exec(`UPDATE anomalies SET `+e.more+`, peaked=started WHERE episode_id=?`, e.id)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// TestTop_AnomalyScreens drives the program through what rules found in a stored recording: in Unicode and, on a terminal that has nothing else, in ASCII.
// The screens of TestTop_Screens, of a recording without episodes, are the control.
func TestTop_AnomalyScreens(t *testing.T) {
	t.Parallel()
	db := withEpisodes(t, storedRecording(t, "v11"))
	driveScreens(t, "anomalies-100x30", db, [2]int{100, 30}, anomalySteps)
	ascii := []topStep{{"processes", "", "anomalies 3"}, {"hosts", "3", "MEM  "}, {"events", "4", "memory_spike"}}
	driveScreens(t, "anomalies-ascii-80x24", db, [2]int{80, 24}, ascii, "LC_ALL=C")
}

// TestTop_Anomalies has a recorder look at a host that had trouble, and goes to where that began: what the rules found is on the screen then, and not
// before it. The control is a host without trouble, on which there is no such place.
func TestTop_Anomalies(t *testing.T) {
	long(t)
	t.Parallel()
	for _, found := range []bool{true, false} {
		dir := t.TempDir()
		db := filepath.Join(dir, "monitor.db")
		args := []string{"simulate", "--data", dir, "--hosts", "1", "--processes", "20", "--jobs", "0", "--duration", "12m", "--rate", "fast"}
		if found {
			args = append(args, "--trouble", "memory_spike")
		}
		run(t, args...)
		up := start(t, "up", "--data", dir, "--interval", "60s")
		await(t, "all that was simulated", func() bool {
			return count(t, db, `SELECT count(*) FROM snapshots s JOIN hosts h ON h.id = s.host_id WHERE h.name = 'sim-0001'`) == 144
		})
		await(t, "what the rules found", func() bool {
			return count(t, db, `SELECT count(*) FROM anomalies a JOIN hosts h ON h.id = a.host_id WHERE rule = 'memory_spike' AND h.name = 'sim-0001'`) > 0 || !found
		})
		up.stop()
		s := onScreen(t, proctape, 100, 30, nil, "top", "--db", db, "--host", "sim-0001", "--at", "-12m")
		s.await("the begin", func(screen string) bool {
			return strings.Contains(screen, "◀ PAST") && strings.Contains(screen, "[ death") && strings.Contains(screen, "▏")
		})
		if screen := s.screen(); strings.Contains(screen, "anomalies") {
			t.Errorf("with trouble %v there are anomalies before it:\n%s", found, screen)
		}
		stop := regexp.MustCompile(`PAST \S+ \S+|no other death`)
		for at, n := "", 0; n < 50; n++ { // services die now and then
			s.press("]")
			screen := s.await("the next stop", func(screen string) bool {
				now := stop.FindString(strings.ReplaceAll(screen, "… READING", ""))
				return strings.Contains(screen, "no other death or anomaly") || now != "" && now != at
			})
			if at = stop.FindString(screen); strings.Contains(screen, "! memory_spike ") || strings.Contains(screen, "no other death or anomaly") {
				break
			}
		}
		if found {
			s.await("the start, with its process marked", func(screen string) bool {
				return strings.Contains(screen, " anomalies 1") && strings.Contains(screen, "! memory_spike ") && regexp.MustCompile(`(?m)^▸ *\d+ .*◆!* \S+`).MatchString(screen)
			})
		} else {
			s.awaitText("no other death or anomaly that way")
		}
		s.press("q")
		s.ended()
	}
}
