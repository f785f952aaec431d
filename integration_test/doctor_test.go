package integration_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A finding is a line of doctor --json.
type finding struct {
	Check, State, Detail, Grant string
}

// findings are what doctor printed, by check.
func findings(t *testing.T, printed string) map[string]finding {
	t.Helper()
	all := map[string]finding{}
	for line := range strings.Lines(printed) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all[f.Check] = f
	}
	return all
}

// doctorOf runs doctor, which ends with 0 or 1.
func doctorOf(t *testing.T, args ...string) map[string]finding {
	t.Helper()
	cmd := exec.Command(proctape, append([]string{"doctor", "--json"}, args...)...)
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code > 1 {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return findings(t, string(out))
}

// TestDoctor_TheCommandGrants runs the command that doctor prints to a user who may not see all, and asks again.
func TestDoctor_TheCommandGrants(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	openTheWay(t, filepath.Join(dir, "x"))
	open(t, dir)
	if _, err := exec.LookPath("setcap"); err != nil {
		t.Skip("SKIPPED: setcap is not installed")
	}
	program := filepath.Join(dir, "proctape")
	if out, err := exec.Command("cp", proctape, program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	open(t, program)
	ask := func() map[string]finding {
		cmd := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "doctor", "--json", "--data", filepath.Join(dir, "data"))
		out, err := cmd.Output()
		if cmd.ProcessState.ExitCode() != 1 {
			t.Fatalf("%v, want exit code 1 of a user who may not see all:\n%s", err, out)
		}
		return findings(t, string(out))
	}
	as := doctorOf(t, "--data", filepath.Join(dir, "data")) // as root
	before := ask()
	command, ok := strings.CutPrefix(before["source taskstats"].Grant, "sudo setcap ")
	if !ok || before["source taskstats"].State != "lacks" || before["kills"].State != "lacks" {
		if as["source taskstats"].State != "there" {
			t.Skip("SKIPPED: this machine has no exit records, for root neither")
		}
		t.Fatalf("a user who may not see all: got %+v and %+v, want them to lack, and a command", before["source taskstats"], before["kills"])
	}
	if out, err := exec.Command("setcap", strings.Fields(command)...).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: setcap does not work in this folder: %v: %s", err, out)
	}
	after := ask()
	for _, check := range []string{"processes", "I/O", "source taskstats", "source connector", "kills"} {
		if after[check].State != as[check].State {
			t.Errorf("%s: got %+v after %q, want %s, as root has it", check, after[check], command, as[check].State)
		}
	}
}

// TestDoctor_TriesTheKey asks with keys of several roles what they may do. Nothing that doctor publishes is stored.
func TestDoctor_TriesTheKey(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	data, key := filepath.Join(dir, "data"), filepath.Join(dir, "build07.nk")
	run(t, "hosts", "add", "build07", "--data", data, "--out", key)
	recorder := start(t, "up", "--data", data, "--interval", "200ms", "--host", "here", "--events", "proc-diff", "--listen", "127.0.0.1:0")
	recorder.awaitLine("listening nats://")
	url := ""
	for _, line := range recorder.out() {
		if _, after, ok := strings.Cut(line, "listening "); ok {
			url, _, _ = strings.Cut(after, ",")
		}
	}
	awaitSnapshots(t, data, 2)
	for _, c := range []struct{ key, host, reading, publishing string }{
		{key, "build07", "note", "there"},
		{key, "other", "lacks", "note"},
		{filepath.Join(data, "creds", "reader.nk"), "build07", "there", "note"},
		{filepath.Join(data, "creds", "admin.nk"), "build07", "there", "there"},
	} {
		got := doctorOf(t, "--server", url, "--creds", c.key, "--host", c.host)
		if got["server"].State != "there" || got["reading"].State != c.reading || got["publishing"].State != c.publishing {
			t.Errorf("%s as %s: got %+v, %+v and %+v, want %s and %s", filepath.Base(c.key), c.host, got["server"], got["reading"], got["publishing"], c.reading, c.publishing)
		}
		if got["reading"].State != "there" && !strings.Contains(got["reading"].Detail, "the key may not publish to $JS.API") {
			t.Errorf("%s: got %+v, want what is refused", filepath.Base(c.key), got["reading"])
		}
	}
	if got := doctorOf(t, "--server", url); got["server"].State != "lacks" || !strings.Contains(got["server"].Grant, "--creds") {
		t.Errorf("without a key: got %+v", got["server"])
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if got := doctorOf(t, "--server", url, "--creds", key); got["server"].State != "lacks" {
		t.Errorf("without the file: got %+v", got["server"])
	}
	recorder.stop()
	if out := run(t, "quarantine", "list", "--data", data, "--json"); strings.TrimSpace(out) != "" {
		t.Errorf("doctor left messages that nobody can read: %s", out)
	}
	if out := run(t, "hosts", "list", "--data", data); strings.Contains(run(t, "status", "--data", data, "--json"), `"host":"build07"`) {
		t.Errorf("doctor published as a host: %s", out)
	}
}
