package store

import (
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/proctape/proctape/schema"
)

// Anomaly is a row of anomalies: what one message tells of an episode.
type Anomaly struct {
	ID      int64 // of the message
	HostID  int64
	Message *schema.Message
}

// upsertAnomaly lets messages of one episode come in any order, and any number of times: the one of the highest revision counts.
const upsertAnomaly = `INSERT INTO anomalies(episode_id, id, revision, host_id, boot_id, rule, rule_digest, type, severity, subject, pid, start_ticks, command,
	cgroup, job_id, fleet, run_id, sheet_num, gpu, started, noticed, peaked, last_seen, ended, end_reason, metric, first_value, peak_value, last_value,
	threshold, more_values, samples, description, labels) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
	ON CONFLICT(episode_id) DO UPDATE SET id=excluded.id, revision=excluded.revision, boot_id=excluded.boot_id, rule=excluded.rule, rule_digest=excluded.rule_digest,
	type=excluded.type, severity=excluded.severity, subject=excluded.subject, pid=excluded.pid, start_ticks=excluded.start_ticks, command=excluded.command,
	cgroup=excluded.cgroup, job_id=excluded.job_id, fleet=excluded.fleet, run_id=excluded.run_id, sheet_num=excluded.sheet_num, gpu=excluded.gpu,
	started=excluded.started, noticed=excluded.noticed, peaked=excluded.peaked, last_seen=excluded.last_seen, ended=excluded.ended,
	end_reason=excluded.end_reason, metric=excluded.metric, first_value=excluded.first_value, peak_value=excluded.peak_value, last_value=excluded.last_value,
	threshold=excluded.threshold, more_values=excluded.more_values, samples=excluded.samples, description=excluded.description, labels=excluded.labels
	WHERE excluded.revision > revision AND excluded.host_id = host_id`

func writeAnomalies(tx *Tx, rows []Anomaly) error {
	for i := range rows {
		if _, err := tx.Exec(upsertAnomaly, anomalyValues(&rows[i])...); err != nil {
			return fmt.Errorf("store anomaly %s: %w", rows[i].Message.Instance, err)
		}
	}
	return nil
}

func anomalyValues(row *Anomaly) []any {
	m := row.Message
	a := m.Anomaly
	s := &a.About
	var pid, start, run any
	if s.Kind == schema.AboutProcess {
		pid, start = s.PID, int64(s.StartTicks)
	}
	if !s.Run.IsZero() {
		run = s.Run.String()
	}
	more, labels := map[string]float64{}, map[string]string{}
	for _, v := range a.Values {
		more[v.Name] = float64(v.Value) / 1000
	}
	for _, l := range a.Labels {
		labels[l.Name] = l.Value
	}
	return []any{m.Instance.String(), row.ID, int64(m.Seq), row.HostID, m.BootID, a.Rule, a.Digest, m.Kind.AnomalyType(), string(a.Severity), string(s.Kind),
		pid, start, optionalText(s.Command), optionalText(s.Cgroup), optionalText(s.JobID), s.Fleet, run, optional(s.Sheet), optional(s.GPU),
		schema.Timestamp(a.Started), schema.Timestamp(a.Noticed), schema.Timestamp(a.Peaked), schema.Timestamp(a.LastSeen), optionalTime(a.Ended.V),
		optionalText(string(a.EndReason)), optionalText(a.Metric), thousandths(a.First), thousandths(a.Peak), thousandths(a.Last), thousandths(a.Threshold),
		jsonObject(more), a.Samples, a.Description, jsonObject(labels)}
}

// thousandths is a value as the table has it; nil for one that is not known.
func thousandths(v schema.Opt[int64]) any {
	if !v.Known {
		return nil
	}
	return float64(v.V) / 1000
}

// jsonObject is a map as JSON, by name. Finite numbers and texts always encode.
func jsonObject[V float64 | string](values map[string]V) string {
	b, _ := json.Marshal(values)
	return string(b)
}

// FoundAnomaly is a row of found_anomalies: an episode that the rules found here, as it goes to the log.
type FoundAnomaly struct {
	Episode  string
	HostID   int64
	Revision uint64
	Message  []byte
}

func writeFoundAnomalies(tx *Tx, rows []FoundAnomaly) error {
	for _, r := range rows {
		if _, err := tx.Exec(`INSERT INTO found_anomalies(episode_id, host_id, revision, message) VALUES (?,?,?,?)
			ON CONFLICT(episode_id) DO UPDATE SET revision=excluded.revision, message=excluded.message WHERE excluded.revision > revision`,
			r.Episode, r.HostID, int64(r.Revision), r.Message); err != nil {
			return fmt.Errorf("store episode %s: %w", r.Episode, err)
		}
	}
	return nil
}

// RuleMemoryKey names what the rules of one stream remember of one host.
type RuleMemoryKey struct {
	Stream string
	HostID int64
}

// RuleMemory reads what the rules of a stream remember of a host; nil for nothing.
func (t Tables) RuleMemory(key RuleMemoryKey) (memory []byte, err error) {
	err = t.lookup(`SELECT memory FROM rule_memories WHERE stream = ? AND host_id = ?`, func(r *sql.Rows) error { return r.Scan(&memory) }, key.Stream, key.HostID)
	if err != nil {
		return nil, fmt.Errorf("read what the rules remember: %w", err)
	}
	return memory, nil
}

func writeRuleMemories(tx *Tx, memories map[RuleMemoryKey][]byte) error {
	for key, memory := range memories {
		if _, err := tx.Exec(`INSERT INTO rule_memories(stream, host_id, memory) VALUES (?,?,?)
			ON CONFLICT(stream, host_id) DO UPDATE SET memory=excluded.memory`, key.Stream, key.HostID, memory); err != nil {
			return fmt.Errorf("store what the rules remember: %w", err)
		}
	}
	return nil
}

// DeleteFound deletes an episode from found_anomalies, unless more was found of it than a revision.
func (tx *Tx) DeleteFound(episode string, revision uint64) error {
	_, err := tx.Exec(`DELETE FROM found_anomalies WHERE episode_id = ? AND revision <= ?`, episode, int64(revision))
	return err
}
