package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/proctape/proctape/schema"
)

// Anomaly is an episode: what a rule found about one subject, from its start to its end. Times are Unix seconds.
type Anomaly struct {
	ID       string          `json:"episode_id"` // 32 hexadecimal digits
	Revision int64           `json:"revision"`   // how often something was told of it
	Host     string          `json:"host"`       // empty for one of the fleet
	BootID   string          `json:"boot_id"`
	Rule     string          `json:"rule"`
	Digest   string          `json:"rule_digest"` // of what the rule said then
	Type     string          `json:"type"`
	Severity schema.Severity `json:"severity"` // the worst so far
	AnomalySubject
	Started     float64            `json:"started"`   // since when the condition held
	Noticed     float64            `json:"noticed"`   // when it had held for as long as the rule asks
	Peaked      float64            `json:"peaked"`    // when the value was at its worst
	LastSeen    float64            `json:"last_seen"` // at least: while it goes on, this is told now and then
	Ended       *float64           `json:"ended"`     // nil while it goes on
	EndReason   *string            `json:"end_reason"`
	Metric      *string            `json:"metric"` // what the values are, as rss_mb; nil for none
	First       *float64           `json:"first_value"`
	Peak        *float64           `json:"peak_value"`
	Last        *float64           `json:"last_value"`
	Threshold   *float64           `json:"threshold"`
	Values      map[string]float64 `json:"values"`  // what else the rule names, at the peak
	Samples     int64              `json:"samples"` // observations in which the condition held
	Description string             `json:"description"`
	Labels      map[string]string  `json:"labels"`
}

// AnomalySubject is what an episode is about. What does not mean something for its kind is nil.
type AnomalySubject struct {
	Kind       schema.SubjectKind `json:"subject"` // process, group, job, run, host or gpu
	PID        *int64             `json:"pid"`
	StartTicks *int64             `json:"start_ticks"`
	Command    *string            `json:"command"`
	Cgroup     *string            `json:"cgroup"`
	JobID      *string            `json:"job_id"`
	Fleet      bool               `json:"fleet,omitzero"` // the job is one of the fleet, and not the host's own
	Run        *string            `json:"run_id"`
	Sheet      *int64             `json:"sheet_num"`
	GPU        *int64             `json:"gpu"`
}

// AnomalyFilter picks episodes. The zero filter picks all.
type AnomalyFilter struct {
	Range          // those that overlap it, by when they started; what goes on overlaps all that is later than its start
	Begun bool     // only those that started in the range
	Job   string   // empty for all jobs
	PID   int64    // 0 for all pids
	Start int64    // with PID, the start of the process in ticks; 0 for any
	Rules []string // names of rules, or types; empty for all
	Least schema.Severity
	Open  bool // only those that go on
}

const anomalyColumns = `SELECT t.episode_id, t.revision, CASE h.name WHEN '_' THEN '' ELSE h.name END, t.boot_id, t.rule, t.rule_digest, t.type, t.severity, t.subject,
	t.pid, t.start_ticks, t.command, t.cgroup, t.job_id, t.fleet, t.run_id, t.sheet_num, t.gpu, t.started, t.noticed, t.peaked, t.last_seen, t.ended,
	t.end_reason, t.metric, t.first_value, t.peak_value, t.last_value, t.threshold, t.more_values, t.samples, t.description, t.labels
	FROM anomalies t JOIN hosts h ON h.id = t.host_id WHERE true`

// Anomalies returns episodes by when they started, oldest first.
func Anomalies(ctx context.Context, db *DB, f AnomalyFilter) ([]Anomaly, error) {
	on, args := f.conditions()
	order := ` ORDER BY t.started, t.episode_id`
	if f.downward() {
		order = ` ORDER BY t.started DESC, t.episode_id DESC`
	}
	if f.Limit > 0 {
		order, args = order+` LIMIT ?`, append(args, f.Limit)
	}
	found, err := collect(ctx, db, anomalyColumns+on+order, args, scanAnomaly)
	if err != nil && strings.Contains(err.Error(), "no such table: anomalies") {
		return []Anomaly{}, nil // a recording of a version that had no rules
	} else if err != nil {
		return nil, fmt.Errorf("read anomalies: %w", err)
	}
	return ordered(found, f.Range), nil
}

func (f *AnomalyFilter) conditions() (on string, args []any) {
	add := func(condition string, values ...any) { on, args = on+` AND `+condition, append(args, values...) }
	switch {
	case f.Since > 0 && f.Begun:
		add(`t.started >= ?`, f.Since)
	case f.Since > 0: // of one that goes on, last_seen is what was told last
		add(`(t.last_seen >= ? OR t.ended >= ? OR t.ended IS NULL)`, f.Since, f.Since)
	}
	if f.Until > 0 {
		add(`t.started < ?`, f.Until)
	}
	if f.Host != "" {
		add(`h.name = ?`, f.Host)
	}
	if f.Job != "" {
		add(`t.job_id = ?`, f.Job)
	}
	if f.PID != 0 {
		add(`t.pid = ? AND (? = 0 OR t.start_ticks = ?)`, f.PID, f.Start, f.Start)
	}
	if f.Open {
		add(`t.ended IS NULL`)
	}
	if len(f.Rules) > 0 {
		var names []any
		for _, r := range f.Rules {
			names = append(names, r)
		}
		add(`(t.rule IN (`+placeholders(len(names))+`) OR t.type IN (`+placeholders(len(names))+`))`, append(names, names...)...)
	}
	if rank := f.Least.Rank(); rank > 0 {
		var names []any
		for _, s := range schema.Severities[rank:] {
			names = append(names, string(s))
		}
		add(`t.severity IN (`+placeholders(len(names))+`)`, names...)
	}
	return on, args
}

func scanAnomaly(r *sql.Rows, a *Anomaly) error {
	var values, labels []byte
	err := r.Scan(&a.ID, &a.Revision, &a.Host, &a.BootID, &a.Rule, &a.Digest, &a.Type, &a.Severity, &a.Kind, &a.PID, &a.StartTicks, &a.Command, &a.Cgroup,
		&a.JobID, &a.Fleet, &a.Run, &a.Sheet, &a.GPU, &a.Started, &a.Noticed, &a.Peaked, &a.LastSeen, &a.Ended, &a.EndReason, &a.Metric, &a.First, &a.Peak,
		&a.Last, &a.Threshold, &values, &a.Samples, &a.Description, &labels)
	if err == nil {
		err = json.Unmarshal(values, &a.Values)
	}
	if err == nil {
		err = json.Unmarshal(labels, &a.Labels)
	}
	return err
}
