package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/proctape/proctape/schema"
)

// Status says what a notice tells.
type Status string

// The statuses.
const (
	Firing   Status = "firing"   // an anomaly began, or became worse
	Resolved Status = "resolved" // it is over
)

// Alert is an anomaly as a notice tells it. Times are Unix seconds.
type Alert struct {
	Episode     string            `json:"episode_id"`
	Rule        string            `json:"rule"`
	Type        string            `json:"type"`
	Severity    schema.Severity   `json:"severity"`
	Host        string            `json:"host"`
	Subject     string            `json:"subject"` // process, group, job, run, host or gpu
	Job         string            `json:"job_id"`  // empty for none
	Sheet       *int64            `json:"sheet_num"`
	PID         int64             `json:"pid"` // 0 for none
	Command     string            `json:"command"`
	Started     float64           `json:"started"`
	Ended       *float64          `json:"ended"` // nil while it goes on
	EndReason   string            `json:"end_reason"`
	Metric      string            `json:"metric"` // what the values are; empty for none
	Peak        *float64          `json:"peak_value"`
	Threshold   *float64          `json:"threshold"`
	Description string            `json:"description"`
	Labels      map[string]string `json:"labels"`
}

// Notice is what a receiver is told at once: anomalies of one group.
type Notice struct {
	ID       string            `json:"notice_id"` // the same when it is tried again
	Receiver string            `json:"receiver"`
	Status   Status            `json:"status"`
	Group    map[string]string `json:"group"`
	Alerts   []Alert           `json:"alerts"` // by when they began
}

// alertOf is an episode's message as an alert.
func alertOf(m *schema.Message) Alert {
	a := m.Anomaly
	alert := Alert{Episode: hex.EncodeToString(m.Instance[:]), Rule: a.Rule, Type: m.Kind.AnomalyType(), Severity: a.Severity, Host: m.Host, Subject: string(a.About.Kind),
		Job: a.About.JobID, PID: a.About.PID, Command: a.About.Command, Started: float64(a.Started) / 1e9, EndReason: string(a.EndReason), Metric: a.Metric,
		Peak: thousandths(a.Peak), Threshold: thousandths(a.Threshold), Description: a.Description, Labels: map[string]string{}}
	if a.About.Sheet.Known {
		alert.Sheet = &a.About.Sheet.V
	}
	if a.Ended.Known {
		ended := float64(a.Ended.V) / 1e9
		alert.Ended = &ended
	}
	for _, l := range a.Labels {
		alert.Labels[l.Name] = l.Value
	}
	return alert
}

func thousandths(v schema.Opt[int64]) *float64 {
	if !v.Known {
		return nil
	}
	f := float64(v.V) / 1000
	return &f
}

// label is a label of an alert by which it is grouped.
func (a *Alert) label(name string) string {
	switch name {
	case "rule":
		return a.Rule
	case "type":
		return a.Type
	case "host":
		return a.Host
	case "job":
		return a.Job
	case "severity":
		return string(a.Severity)
	}
	return ""
}

// noticeOf makes a notice to a receiver of alerts of one group, which is by some labels.
func noticeOf(receiver string, groupBy []string, status Status, alerts []Alert) Notice {
	slices.SortFunc(alerts, func(a, b Alert) int {
		if a.Started != b.Started {
			return map[bool]int{true: -1, false: 1}[a.Started < b.Started]
		}
		return strings.Compare(a.Episode, b.Episode)
	})
	n := Notice{Receiver: receiver, Status: status, Group: map[string]string{}, Alerts: alerts}
	for _, label := range groupBy {
		n.Group[label] = alerts[0].label(label)
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s\x00", receiver, status)
	for i := range alerts {
		fmt.Fprintf(sum, "%s\x00%s\x00", alerts[i].Episode, alerts[i].Severity)
	}
	n.ID = hex.EncodeToString(sum.Sum(nil)[:16])
	return n
}

// templateFuncs are what a template can call beside what text/template has.
var templateFuncs = template.FuncMap{
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	"time":  func(t float64) string { return time.Unix(0, int64(t*1e9)).UTC().Format(time.RFC3339) },
	"upper": strings.ToUpper,
}

// exampleNotice is a notice in which everything is known, to try a template with.
func exampleNotice(receiver string) Notice {
	ended, sheet, value := 1.0, int64(1), 1.0
	return Notice{ID: strings.Repeat("0", 32), Receiver: receiver, Status: Firing, Group: map[string]string{"rule": "r", "host": "h", "type": "t", "job": "j", "severity": "low"},
		Alerts: []Alert{{Episode: strings.Repeat("0", 32), Rule: "r", Type: "t", Severity: schema.SeverityLow, Host: "h", Subject: "process", Job: "j", Sheet: &sheet, PID: 1,
			Command: "c", Started: 1, Ended: &ended, EndReason: "recovered", Metric: "rss_mb", Peak: &value, Threshold: &value, Description: "d", Labels: map[string]string{}}}}
}
