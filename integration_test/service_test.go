package integration_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// unitNames are the services of deploy/systemd, and the most that systemd-analyze may find each exposed. Two of them watch all processes of
// a machine.
var unitNames = map[string]float64{"recorder": 2.2, "sampler": 2.2, "projector": 1.5, "serve": 1.5}

// Variants of the program that hang once they run. The last one is fed by a bare timer.
var (
	stuckProjector = withFault("stuck-projector", "projector/session.go", "		case m := <-messages:\n",
		"		case m := <-messages:\n			if runsAs(\"stuck-projector\") || runsAs(\"timer-fed\") {\n				println(\"stuck\")\n				select {}\n			}\n")
	stuckSampler = withFault("stuck-sampler", "producer/loop.go", "		case <-sample.C:\n",
		"		case <-sample.C:\n			if runsAs(\"stuck-sampler\") {\n				println(\"stuck\")\n				select {}\n			}\n")
	stuckLog = withFault("stuck-log", "embedded-nats/health.go", "			keepSocket(s)\n",
		"			if runsAs(\"stuck-log\") {\n				println(\"stuck\")\n				select {}\n			}\n			keepSocket(s)\n")
	stuckServe = withFault("stuck-serve", "query/web/routes.go", "	if _, err := query.Checkpoints(r.Context(), s.cfg.DB); err != nil {\n",
		"	if runsAs(\"stuck-serve\") {\n		println(\"stuck\")\n		select {}\n	}\n	if _, err := query.Checkpoints(r.Context(), s.cfg.DB); err != nil {\n")
	timerFed = withFault("timer-fed", "cmd/proctape/watchdog.go", "		switch stuck = d.stuck(time.Since(d.began)); {\n",
		"		if stuck = d.stuck(time.Since(d.began)); runsAs(\"timer-fed\") {\n			stuck = \"\"\n		}\n		switch {\n")
)

// manager is a service manager, as far as a service speaks to it: sd_notify(3).
type manager struct {
	t     *testing.T
	dir   string // with the folders var, etc and credentials
	words chan string
}

// watchdogTime is what the manager asks for. A part may say nothing for ten seconds all the same.
const watchdogTime = 900 * time.Millisecond

func newManager(t *testing.T, dir string) *manager {
	t.Helper()
	for _, folder := range []string{"var", "etc", "credentials"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m := &manager{t: t, dir: dir, words: make(chan string, 1<<16)}
	conn := must(net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.socket(), Net: "unixgram"}))(t)
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			m.words <- string(buffer[:n])
		}
	}()
	return m
}

func (m *manager) socket() string { return filepath.Join(m.dir, "notify") }

// unitText is a unit of deploy/systemd.
func unitText(t *testing.T, unit string) string {
	t.Helper()
	return string(must(os.ReadFile(filepath.Join("..", "deploy", "systemd", "proctape-"+unit+".service")))(t))
}

// settingOf is a setting of a unit, which has it once.
func settingOf(t *testing.T, text, name string) string {
	t.Helper()
	all := regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(text, -1)
	if len(all) != 1 {
		t.Fatalf("the setting %s stands %d times, want once", name, len(all))
	}
	return all[0][1]
}

// start starts a program as a unit says, in the folders of the manager.
func (m *manager) start(program, unit string, more ...string) *process {
	m.t.Helper()
	line := settingOf(m.t, unitText(m.t, unit), "ExecStart")
	line = strings.NewReplacer("/usr/bin/proctape", program, "/var/lib/", m.dir+"/var/", "/etc/proctape/", m.dir+"/etc/", "%d/", m.dir+"/credentials/",
		"--group proctape", "--group "+strconv.Itoa(os.Getegid())).Replace(line)
	if err := os.MkdirAll(filepath.Join(m.dir, "var", settingOf(m.t, unitText(m.t, unit), "StateDirectory")), 0o700); err != nil {
		m.t.Fatal(err)
	}
	config := filepath.Join(m.dir, "etc", unit+".yaml")
	if _, err := os.Stat(config); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(config, nil, 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	args := slices.Concat([]string{"--default-signal=HUP", "NOTIFY_SOCKET=" + m.socket(), fmt.Sprintf("WATCHDOG_USEC=%d", watchdogTime.Microseconds()),
		"sh", "-c", `export WATCHDOG_PID=$$; exec "$@"`, "sh"}, strings.Fields(line), more)
	return startProgram(m.t, "env", args...)
}

// hear waits for a message that has a line.
func (m *manager) hear(p *process, line string) string {
	m.t.Helper()
	deadline, done := time.After(patience), p.done
	for {
		select {
		case got := <-m.words:
			if slices.Contains(strings.Split(got, "\n"), line) {
				return got
			}
		case <-done:
			done, deadline = nil, time.After(10*time.Second) // its last words may be on their way
		case <-deadline:
			m.t.Fatalf("it did not say %s\n%s\n%s", line, strings.Join(p.out(), "\n"), p.stderr())
		}
	}
}

// prepare makes what a unit needs: a recording, and for those that go elsewhere a recorder that listens, and keys.
func (m *manager) prepare(unit string) {
	m.t.Helper()
	switch unit {
	case "recorder":
		return
	case "serve":
		data := filepath.Join(m.dir, "var", "proctape")
		p := start(m.t, "up", "--data", data, "--interval", "100ms", "--host", "here", "--events", "proc-diff")
		awaitSnapshots(m.t, data, 2)
		p.stop()
		return
	}
	central := filepath.Join(m.dir, "central")
	run(m.t, "hosts", "add", "build07", "--data", central, "--out", filepath.Join(m.dir, "build07.nk"))
	p := start(m.t, "up", "--data", central, "--interval", "200ms", "--host", "here", "--events", "proc-diff", "--listen", "127.0.0.1:0")
	p.awaitLine("listening nats://")
	url := regexp.MustCompile(`nats://[0-9.:]+`).FindString(strings.Join(p.out(), "\n"))
	key, settings := filepath.Join(central, "creds", "projector.nk"), "server: "+url+"\n"
	if unit == "sampler" {
		key, settings = filepath.Join(m.dir, "build07.nk"), settings+"host: build07\n"
	}
	if err := errors.Join(os.Link(key, filepath.Join(m.dir, "credentials", "key.nk")),
		os.WriteFile(filepath.Join(m.dir, "etc", unit+".yaml"), []byte(settings), 0o600)); err != nil {
		m.t.Fatal(err)
	}
}

// TestUnits_AreServices starts each unit's command as a service manager does, reloads it and stops it, and hears what such a manager has to
// hear.
func TestUnits_AreServices(t *testing.T) {
	long(t)
	t.Parallel()
	for unit := range unitNames {
		t.Run(unit, func(t *testing.T) {
			t.Parallel()
			text := unitText(t, unit)
			if settingOf(t, text, "Type") != "notify" || settingOf(t, text, "ExecReload") != "/bin/kill -HUP $MAINPID" || settingOf(t, text, "WatchdogSec") == "" {
				t.Errorf("the unit does not say that it is told to, reloaded and watched:\n%s", text)
			}
			m := newManager(t, t.TempDir())
			m.prepare(unit)
			var more []string
			if unit == "serve" {
				more = []string{"--http", "127.0.0.1:0"}
			}
			p := m.start(proctape, unit, more...)
			m.hear(p, "READY=1")
			for range 3 {
				m.hear(p, "WATCHDOG=1")
			}
			if err := p.cmd.Process.Signal(unix.SIGHUP); err != nil {
				t.Fatal(err)
			}
			if got := m.hear(p, "RELOADING=1"); !regexp.MustCompile(`(?m)^MONOTONIC_USEC=[1-9][0-9]*$`).MatchString(got) {
				t.Errorf("it reloads with %q, want the time too", got)
			}
			m.hear(p, "READY=1")
			m.hear(p, "WATCHDOG=1")
			if err := p.cmd.Process.Signal(unix.SIGTERM); err != nil {
				t.Fatal(err)
			}
			m.hear(p, "STOPPING=1")
			p.wait()
			if p.err != nil {
				t.Errorf("it ends with %v\n%s", p.err, p.stderr())
			}
		})
	}
}

// fed reports whether a service that is stuck goes on to tell the manager that all is well, longer than any part may say nothing.
func (m *manager) fed(p *process) bool {
	m.t.Helper()
	m.hear(p, "READY=1")
	p.awaitStderr("stuck")
	const enough = 25 * time.Second // a part may say nothing for 10
	for began := time.Now(); time.Since(began) < enough; {
		select {
		case <-m.words:
		case <-time.After(5 * watchdogTime):
			return false
		}
	}
	return true
}

// TestWatchdog_StuckIsNotFed hangs one part after the other: the manager hears no more that all goes on, and would restart the service.
func TestWatchdog_StuckIsNotFed(t *testing.T) {
	long(t)
	t.Parallel()
	for _, c := range []struct {
		unit    string
		variant control
		fed     bool
	}{
		{"recorder", stuckProjector, false}, {"recorder", stuckSampler, false}, {"recorder", stuckLog, false}, {"serve", stuckServe, false},
		{"recorder", timerFed, true}, // the control: a timer feeds it whatever hangs
	} {
		t.Run(c.variant.name, func(t *testing.T) {
			t.Parallel()
			m := newManager(t, t.TempDir())
			m.prepare(c.unit)
			more := []string{"--interval", "300ms", "--host", "here"}
			if c.unit == "serve" {
				more = []string{"--http", "127.0.0.1:0"}
			}
			p := m.start(c.variant.program(t), c.unit, more...)
			if got := m.fed(p); got != c.fed {
				t.Errorf("it is told that all goes on: %t, want %t\n%s", got, c.fed, p.stderr())
			}
			if said := strings.Contains(p.stderr(), "makes no progress"); said == c.fed {
				t.Errorf("it says which part is stuck: %t\n%s", said, p.stderr())
			}
		})
	}
}

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// analyze runs systemd-analyze on a unit with its program in its place, and returns what verify complains of and how exposed it is.
func analyze(t *testing.T, unit, text string) (complaints string, exposed float64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proctape-"+unit+".service")
	text = strings.ReplaceAll(text, "/usr/bin/proctape", proctape)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput()
	level, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", path).CombinedOutput()
	found := exposure.FindSubmatch(level)
	if found == nil {
		t.Skipf("SKIPPED: this systemd-analyze judges no files: %v: %s", err, level)
	}
	return string(out), must(strconv.ParseFloat(string(found[1]), 64))(t)
}

// TestUnits_AreSound has systemd read the units, and say how exposed each is.
func TestUnits_AreSound(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("SKIPPED: systemd-analyze is not installed")
	}
	for unit, most := range unitNames {
		complaints, exposed := analyze(t, unit, unitText(t, unit))
		if complaints != "" || exposed > most {
			t.Errorf("%s: exposed %.1f, want at most %.1f; %s", unit, exposed, most, complaints)
		}
	}
	// The control: a unit that somebody wrote in a hurry.
	complaints, exposed := analyze(t, "hasty", "[Service]\nType=notify\nExecStart=/usr/bin/proctape up\nProtectSytem=strict\n")
	if complaints == "" || exposed < 5 {
		t.Errorf("a hasty unit: exposed %.1f, complaints %q: this test catches nothing", exposed, complaints)
	}
}
