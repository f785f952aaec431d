package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/proctape/proctape/query/health"
	"github.com/proctape/proctape/query/web"
	"github.com/proctape/proctape/schema/durations"
	"github.com/proctape/proctape/schema/state"
	"github.com/proctape/proctape/schema/trouble"
)

const (
	dashboardFile = "../../deploy/grafana/proctape.json"
	alertsFile    = "../../deploy/prometheus/alerts.yml"
)

var metricName = regexp.MustCompile(`\bproctape_[a-z0-9_]+`)

// unknownMetrics are the metrics that a text names and the server does not have.
func unknownMetrics(text string) (names []string) {
	for _, name := range metricName.FindAllString(text, -1) {
		if !slices.Contains(web.MetricNames(), name) {
			names = append(names, name)
		}
	}
	return names
}

// The dashboard and the rules ask for what there is.
func TestDeploy_NamesMetricsThatExist(t *testing.T) {
	text, err := os.ReadFile(dashboardFile)
	check(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	check(t, json.Unmarshal(text, &dashboard))
	exprs := map[string]string{}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			exprs[p.Title] += target.Expr + "\n"
		}
	}
	rules, err := os.ReadFile(alertsFile)
	check(t, err)
	var groups struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	check(t, yaml.Unmarshal(rules, &groups))
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			exprs[r.Alert] = r.Expr
		}
	}
	if len(exprs) < 15 {
		t.Errorf("only %d expressions are read", len(exprs))
	}
	for of, expr := range exprs {
		if names := unknownMetrics(expr); len(names) > 0 || !metricName.MatchString(expr) {
			t.Errorf("%s: there is no %v in %q", of, names, expr)
		}
	}
	if got := unknownMetrics("rate(proctape_host_loud[5m])"); len(got) != 1 { // the control
		t.Errorf("a metric that is not there: %v", got)
	}
	if promtool, err := exec.LookPath("promtool"); err != nil {
		t.Log("SKIPPED: there is no promtool here, so the rules' expressions are not parsed")
	} else if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", alertsFile).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// What the status says is in the metrics too.
func TestMetrics_OfTheRecorder(t *testing.T) {
	w := newWorld(t, 3)
	last, size := uint64(9), uint64(512)
	var counter durations.Counter
	counter.Observe(time.Millisecond)
	counter.Observe(time.Minute)
	acks := counter.Read()
	s := w.serveWith(0, func(cfg *web.Config) {
		cfg.Status = func(context.Context) (*health.Status, error) {
			return &health.Status{Verdict: health.Verdict{Level: trouble.Degraded, Word: "degraded", Troubles: []health.Trouble{{Kind: trouble.Behind}, {Kind: trouble.Behind}}},
				Sampler: &state.Sampler{Waiting: 5, WaitingBytes: 600, QueueBytes: 7000, Acks: &acks}, Commits: &durations.Histogram{}, Programs: &state.Programs{Programs: 3, Memory: 4096},
				Streams: []health.StreamStatus{{Last: &last, Bytes: &size}}}, nil
		}
	})
	status, body := s.get("/metrics")
	if status != http.StatusOK {
		t.Fatalf("got %d %s", status, body)
	}
	for _, want := range []string{"proctape_recording_level 1", `proctape_troubles{kind="behind"} 2`, `proctape_lag_messages{stream=""} 9`, `proctape_log_bytes{stream=""} 512`,
		"proctape_queue_items 5", "proctape_queue_bytes 600", "proctape_queue_limit_bytes 7000", `proctape_publish_ack_seconds_bucket{le="0.001"} 1`, `proctape_publish_ack_seconds_bucket{le="30"} 1`, "proctape_publish_ack_seconds_count 2",
		"proctape_kernel_programs 3", "proctape_kernel_programs_memory_bytes 4096", "process_resident_memory_bytes ", "go_goroutines "} {
		if !strings.Contains(string(body), "\n"+want) {
			t.Errorf("%s is not there", want)
		}
	}
	for _, unknown := range []string{"proctape_commit_duration_seconds", "proctape_kernel_programs_run_seconds_total"} { // of another version, and not counted
		if strings.Contains(string(body), unknown) {
			t.Errorf("%s is there", unknown)
		}
	}
	lint(t, body)
}
