package integration_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNotify_Reload has a recorder under a service manager read its receivers again, while notices of one that is down wait: a file with a mistake changes nothing, and one in
// which the receiver has moved has all told once, without a restart.
func TestNotify_Reload(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	file, data, socket := filepath.Join(dir, "notify.yaml"), filepath.Join(dir, "tape"), filepath.Join(dir, "manager")
	receiver := func(url string) string {
		return "receivers:\n  - name: oncall\n    group_wait: 100ms\n    group_by: [rule]\n    rules: [oom]\n    jobs: [nightly]\n    webhook: {url: \"" + url + "\"}\n"
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	manager := must(net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}))(t)
	defer manager.Close()
	write(receiver(fmt.Sprintf("http://127.0.0.1:%d/", freePort(t))))
	p := startProgram(t, "env", "--default-signal=HUP", "NOTIFY_SOCKET="+socket, proctape, "up", "--data", data, "--host", "h", "--interval", "1s", "--notify", file)
	p.awaitLine("Recorded:")
	hangup := func(said string) {
		t.Helper()
		if err := p.cmd.Process.Signal(unix.SIGHUP); err != nil {
			t.Fatal(err)
		}
		p.awaitStderr(said)
	}
	await(t, "the durable of the notices", func() bool { return followsAnomalies(t, data) })
	for n := range 3 {
		tellAnomaly(t, data, n, false)
	}
	await(t, "three notices that wait", func() bool {
		b, _ := os.ReadFile(filepath.Join(data, "monitor.db.notices"))
		return strings.Count(string(b), `"revision"`) == 3
	})
	write("receivers:\n  - name: oncall\n    webhok: {}\n")
	hangup("stays as it is: notify (" + file)
	h := &hook{told: map[string]int{}}
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	server := &http.Server{Handler: h}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	write(receiver("http://" + l.Addr().String() + "/"))
	hangup("taken over: who is told of anomalies")
	for n := range 3 {
		tellAnomaly(t, data, n, true)
	}
	await(t, "all that waits is told", func() bool {
		began, _ := h.counts("firing")
		ended, _ := h.counts("resolved")
		return began == 3 && ended == 3
	})
	p.stop()
	for _, status := range []string{"firing", "resolved"} {
		if _, doubled := h.counts(status); len(doubled) > 0 {
			t.Errorf("told more than once: %v", doubled)
		}
	}
}
