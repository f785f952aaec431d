package web

import (
	"context"
	"database/sql"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/health"
)

// setStatus sets what the status of a recording says.
func setStatus(s *health.Status, set setter) {
	set(recordingLevel, float64(s.Level))
	count := map[string]float64{}
	for _, t := range s.Troubles {
		count[string(t.Kind)]++
	}
	for kind, n := range count {
		set(troubles, n, kind)
	}
	for _, stream := range s.Streams {
		if stream.Last != nil {
			set(streamLast, float64(*stream.Last), stream.Stream)
			set(streamLag, max(0, float64(*stream.Last)-float64(stream.Seq)), stream.Stream)
		}
		if stream.Bytes != nil {
			set(streamBytes, float64(*stream.Bytes), stream.Stream)
		}
	}
	if p := s.Programs; p != nil {
		set(kernelPrograms, float64(p.Programs))
		set(kernelBytes, float64(p.Memory))
		if p.RunTime != nil {
			set(kernelSeconds, *p.RunTime)
		}
	}
	if q := s.Sampler; q != nil {
		set(queueItems, float64(q.Waiting))
		set(queueBytes, float64(q.WaitingBytes))
		set(queueLimit, float64(q.QueueBytes))
		set(spoolItems, float64(q.Disk.Items))
		set(spoolBytes, float64(q.Disk.Bytes))
	}
}

// setRecord sets what the database says of gaps, of retention and of its proof.
func setRecord(ctx context.Context, db *query.DB, set setter) error {
	rows, err := db.Handle().QueryContext(ctx, `SELECT kind, count(*) FROM gaps GROUP BY kind`)
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := setGaps(rows, set); err != nil {
		return err
	}
	if err := setAnomalies(ctx, db, set); err != nil {
		return err
	}
	passes, err := query.RetentionPasses(ctx, db, 1)
	if err == nil && len(passes) > 0 {
		set(retentionTime, passes[0].Finished)
		ok := 1.0
		if passes[0].Error != "" {
			ok = 0
		}
		set(retentionOK, ok)
	}
	proven := query.NotedProof(db)
	for f, at := range map[*family]*float64{&provenTime: proven.Until, &proofTime: proven.LastPass} {
		if at != nil {
			set(*f, *at)
		}
	}
	return err
}

func setGaps(rows *sql.Rows, set setter) error {
	for rows.Next() {
		var kind string
		var n float64
		if err := rows.Scan(&kind, &n); err != nil {
			return err
		}
		set(gapsNoted, n, kind)
	}
	return rows.Err()
}

// setAnomalies sets how many episodes go on.
func setAnomalies(ctx context.Context, db *query.DB, set setter) error {
	open, err := query.Anomalies(ctx, db, query.AnomalyFilter{Open: true})
	if err != nil {
		return err
	}
	type of struct{ rule, severity string }
	count := map[of]float64{}
	for i := range open {
		count[of{open[i].Rule, string(open[i].Severity)}]++
	}
	for o, n := range count {
		set(anomaliesOpen, n, o.rule, o.severity)
	}
	return nil
}
