package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// alertmanagerOf runs a real Alertmanager that tells nobody, and returns where it is.
func alertmanagerOf(t *testing.T) (url string) {
	t.Helper()
	names := []string{"prometheus-alertmanager", "alertmanager"}
	i := slices.IndexFunc(names, hasProgram)
	if i < 0 {
		t.Skip("SKIPPED: neither prometheus-alertmanager nor alertmanager is installed")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(file, []byte("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	cmd := exec.Command(names[i], "--config.file="+file, "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
	})
	await(t, "Alertmanager", func() bool {
		select {
		case err := <-ended:
			t.Skipf("SKIPPED: Alertmanager does not run here: %v\n%s", err, said.String())
		default:
		}
		return firingAt("http://"+address) != nil
	})
	return "http://" + address
}

// amAlert is an alert as Alertmanager has it.
type amAlert struct {
	Labels      map[string]string
	Annotations map[string]string
	Status      struct{ State string }
}

// firingAt are the alerts that go on at an Alertmanager; nil while it does not answer.
func firingAt(url string) (alerts []amAlert) {
	answer, err := http.Get(url + "/api/v2/alerts")
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || json.NewDecoder(answer.Body).Decode(&alerts) != nil {
		return nil
	}
	return alerts
}

// TestAlertmanager_Real has a recorder tell a real Alertmanager of two anomalies: both fire there, with their labels, and the one that ends goes.
func TestAlertmanager_Real(t *testing.T) {
	long(t)
	t.Parallel()
	url := alertmanagerOf(t)
	dir := t.TempDir()
	file, data := filepath.Join(dir, "notify.yaml"), filepath.Join(dir, "tape")
	if err := os.WriteFile(file, []byte("receivers:\n  - name: alerts\n    group_wait: 100ms\n    rules: [oom]\n    jobs: [nightly]\n    alertmanager: {url: \""+url+"\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "up", "--data", data, "--host", "h", "--interval", "1h", "--events", "proc-diff", "--notify", file)
	p.awaitLine("Recorded:")
	await(t, "the durable of the notices", func() bool { return followsAnomalies(t, data) })
	pids := func() (pids []string) {
		for _, a := range firingAt(url) {
			pids = append(pids, a.Labels["pid"])
		}
		slices.Sort(pids)
		return pids
	}
	tellAnomaly(t, data, 1, false)
	tellAnomaly(t, data, 2, false)
	await(t, "two alerts", func() bool { return slices.Equal(pids(), []string{"101", "102"}) })
	a := firingAt(url)[0]
	for label, want := range map[string]string{"alertname": "oom", "severity": "high", "host": "h", "job": "nightly"} {
		if a.Labels[label] != want {
			t.Errorf("the label %s is %q, want %q", label, a.Labels[label], want)
		}
	}
	if a.Status.State != "active" {
		t.Errorf("its state is %q", a.Status.State)
	}
	tellAnomaly(t, data, 1, true)
	await(t, "one alert", func() bool { return slices.Equal(pids(), []string{"102"}) })
	p.stop()
}
