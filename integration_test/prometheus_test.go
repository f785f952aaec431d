package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// tellOldSnapshot publishes a snapshot of a host of ten minutes ago on the log of a recorder: the host is silent since then.
func tellOldSnapshot(t *testing.T, dir, host string) {
	t.Helper()
	nc := must(embeddednats.Connect(dir, embeddednats.RoleAdmin))(t)
	defer nc.Close()
	js := must(jetstream.New(nc))(t)
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSnapshot, Host: host, BootID: "b", Instance: schema.NewInstance(), Seq: 1, Produced: 1,
		Wall: time.Now().Add(-10 * time.Minute).UnixNano(), Boot: int64(time.Hour)},
		Snapshot: &schema.Snapshot{Tick: 1, Interval: int64(time.Second), PressureLevel: "none", Processes: schema.ProcessesOf(schema.Process{PID: 1, StartTicks: 1, Command: "init", State: "S", Threads: 1})}}
	msg := nats.NewMsg("")
	var err error
	if msg.Subject, msg.Data, err = schema.EncodeMsg(m, msg.Header); err != nil {
		t.Fatal(err)
	}
	must(js.PublishMsg(t.Context(), msg))(t)
}

// prometheusOf runs Prometheus on a recorder, with the rules of deploy, which wait for nothing here. It returns where to ask it.
func prometheusOf(t *testing.T, program, recorder, token string) string {
	t.Helper()
	dir := t.TempDir()
	rules := must(os.ReadFile("../deploy/prometheus/alerts.yml"))(t)
	rules = regexp.MustCompile(`for: \d+[mh]`).ReplaceAll(rules, []byte("for: 1s"))
	config := fmt.Sprintf(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%s/rules.yml]
scrape_configs:
  - job_name: proctape
    authorization: {credentials_file: %s}
    static_configs: [{targets: ["%s"]}]
`, dir, token, recorder)
	for name, text := range map[string]string{"rules.yml": string(rules), "prometheus.yml": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	cmd := exec.Command(program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+address)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	return "http://" + address
}

// promValue is one value of an answer of Prometheus, with its labels.
type promValue struct {
	Metric map[string]string
	Value  [2]any
}

// promQuery asks Prometheus; it returns nothing while it does not answer yet.
func promQuery(prometheus, query string) []promValue {
	answer, err := http.Get(prometheus + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	var told struct{ Data struct{ Result []promValue } }
	if json.NewDecoder(answer.Body).Decode(&told) != nil {
		return nil
	}
	return told.Data.Result
}

// TestPrometheus has Prometheus itself scrape a recorder: it takes all that it is told, loads the rules of deploy, and one of them fires for
// a host that is silent. The control is the host that is not.
func TestPrometheus(t *testing.T) {
	long(t)
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("SKIPPED: there is no prometheus here; a recorder is not scraped, and its alerts are not tried")
	}
	t.Parallel()
	dir := t.TempDir()
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	start(t, "up", "--data", dir, "--host", "alive", "--interval", "1s", "--http", address, "--metrics-process-names", "*").awaitLine("The page is at")
	tellOldSnapshot(t, dir, "silent")
	prometheus := prometheusOf(t, program, address, filepath.Join(dir, "creds", "http.token"))
	const firing = `ALERTS{alertname="ProctapeHostSilent",alertstate="firing"}`
	await(t, "an alert", func() bool { return len(promQuery(prometheus, firing)) > 0 })
	if got := promQuery(prometheus, firing); len(got) != 1 || got[0].Metric["host"] != "silent" {
		t.Errorf("the alert fires for %v", got)
	}
	if got := promQuery(prometheus, `ALERTS{alertname="ProctapeStands"}`); len(got) > 0 {
		t.Errorf("the recording stands: %v", got)
	}
	for _, query := range []string{`proctape_commit_duration_seconds_count > 0`, `proctape_publish_ack_seconds_count > 0`, `histogram_quantile(0.99, proctape_commit_duration_seconds_bucket) > 0`,
		`sum(namedprocess_namegroup_num_procs{host="alive"}) > 0`, `rate(namedprocess_namegroup_cpu_seconds_total{host="alive"}[1m]) >= 0`, `proctape_spool_items == 0`} {
		await(t, query, func() bool { return len(promQuery(prometheus, query)) > 0 })
	}
	if promtool, err := exec.LookPath("promtool"); err == nil {
		r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", http.NoBody))(t)
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(must(os.ReadFile(filepath.Join(dir, "creds", "http.token")))(t))))
		answer := must(http.DefaultClient.Do(r))(t)
		defer answer.Body.Close()
		check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
		check.Stdin = answer.Body
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("promtool check metrics: %v\n%s", err, out)
		}
	}
}
