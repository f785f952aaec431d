package retention

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// trimmer purges the log.
type trimmer struct{ *pass }

// trimStep is how many messages are purged at a time: a purge stops the stream meanwhile.
const trimStep = 50_000

// kept is, by stream, where the oldest row that this database still has came from.
var kept = map[string]string{
	schema.StreamSnapshots: `SELECT min(id) FROM snapshots WHERE id > ?1`,
	schema.StreamEvents: `SELECT min(id) FROM (SELECT min(id) >> 10 AS id FROM process_events WHERE id >= (?1 + 1) << 10
		UNION ALL SELECT min(id) >> 10 FROM process_execs WHERE id >= (?1 + 1) << 10
		UNION ALL SELECT min(id) >> 10 FROM job_events WHERE id >= (?1 + 1) << 10
		UNION ALL SELECT min(id) FROM anomalies WHERE id > ?1
		UNION ALL SELECT ?1 + min(at_seq) FROM gaps WHERE stream = 'PROCTAPE_EVENTS' AND epoch = ?2)`,
	schema.StreamRollups: `SELECT min(id) FROM rollups WHERE id > ?1`,
	schema.StreamHistory: `SELECT min(id) FROM run_records WHERE id > ?1`,
}

// run purges what no database needs any more: up to the oldest row that this one still has, and no further than every
// other has committed.
func (t *trimmer) run(ctx context.Context) error {
	if t.js == nil {
		return nil
	}
	for _, name := range schema.DataStreams {
		stream, err := t.js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue // it was deleted and holds nothing
		}
		if err == nil {
			err = t.trimStream(ctx, stream)
		}
		if err == nil { // now, for a shorter age has little left to remove
			err = setMaxAge(ctx, t.pass, stream)
		}
		if err != nil {
			return fmt.Errorf("stream %s: %w", name, err)
		}
	}
	return nil
}

func (t *trimmer) trimStream(ctx context.Context, stream jetstream.Stream) error {
	keep, err := t.oldestNeeded(ctx, stream.CachedInfo().Config.Name)
	if err != nil {
		return err
	}
	if keep, err = t.heldBack(ctx, stream, keep); err != nil {
		return err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return nil
	}
	for first := state.FirstSeq; first < keep; {
		to := min(first+trimStep, keep)
		if !t.writer.dry {
			if err := stream.Purge(ctx, jetstream.WithPurgeSequence(to)); err != nil {
				return err
			}
		}
		t.removed.Messages += int64(to - first)
		first = to
		if err := t.writer.ping(); err != nil {
			return err
		}
	}
	return nil
}

// oldestNeeded is the first sequence of a stream that this database does not want trimmed: it has a row of it, or has
// not folded it yet.
func (t *trimmer) oldestNeeded(ctx context.Context, name string) (uint64, error) {
	var epoch, base, seq int64
	err := t.read.QueryRowContext(ctx, `SELECT epoch, id_base, seq FROM checkpoints WHERE stream = ?`, name).Scan(&epoch, &base, &seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	var oldest sql.NullInt64
	args := []any{base, epoch}
	if !strings.Contains(kept[name], "?2") {
		args = args[:1]
	}
	if err := t.read.QueryRowContext(ctx, kept[name], args...).Scan(&oldest); err != nil {
		return 0, err
	}
	keep := seq + 1
	if oldest.Valid {
		keep = min(keep, oldest.Int64-base)
	}
	return uint64(max(keep, 0)), nil
}

// heldBack is the lowest of keep and what the other databases of the log have not committed. One that has not moved for
// too long is left behind: its durable goes, and when it comes back it finds a gap.
func (t *trimmer) heldBack(ctx context.Context, stream jetstream.Stream, keep uint64) (uint64, error) {
	name := stream.CachedInfo().Config.Name
	others, err := t.others(ctx, stream)
	if err != nil {
		return 0, err
	}
	since, err := t.databaseProgress(ctx, name, others, stream.CachedInfo().State.LastSeq)
	if err != nil {
		return 0, err
	}
	for consumer, acked := range others {
		if acked+1 >= keep {
			continue
		}
		if stood := time.Duration(t.ages.now - since[consumer]); stood > t.away(name) {
			t.log.Warn("a database has not moved for too long; the log no longer waits for it", "stream", name,
				"consumer", consumer, "stood", stood.Round(time.Second), "behind", keep-1-acked)
			t.removed.LeftBehind++
			if t.writer.dry {
				continue
			}
			if err := stream.DeleteConsumer(ctx, consumer); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				return 0, err
			}
			continue
		}
		keep = acked + 1
	}
	return keep, nil
}

// away is how long a database may stand still.
func (t *trimmer) away(stream string) time.Duration {
	if t.settings.Away > 0 {
		return t.settings.Away
	}
	switch stream {
	case schema.StreamSnapshots:
		return t.limits.full
	case schema.StreamRollups:
		return t.limits.downsampled
	case schema.StreamHistory:
		return t.limits.runs
	}
	return t.limits.events
}

// others is how far the other databases have committed a stream, by durable.
func (t *trimmer) others(ctx context.Context, stream jetstream.Stream) (map[string]uint64, error) {
	own := schema.ConsumerName(t.databaseID)
	acked := map[string]uint64{}
	list := stream.ListConsumers(ctx)
	for info := range list.Info() {
		if strings.HasPrefix(info.Name, schema.ConsumerName("")) && info.Name != own {
			acked[info.Name] = info.AckFloor.Stream
		}
	}
	return acked, list.Err()
}

// databaseProgress notes how far the other databases are, and returns since when each has been there, by retention's clock. One
// that is at the stream's end does not stand.
func (t *trimmer) databaseProgress(ctx context.Context, stream string, acked map[string]uint64, last uint64) (map[string]int64, error) {
	since := map[string]int64{}
	err := schema.EachRow(ctx, t.read, `SELECT consumer, acked, since_ns FROM retention_databases WHERE stream = ?`, func(rows *sql.Rows) error {
		var consumer string
		var at, from int64
		err := rows.Scan(&consumer, &at, &from)
		if now, ok := acked[consumer]; ok && now == uint64(at) && now < last {
			since[consumer] = from
		}
		return err
	}, stream)
	if err != nil {
		return nil, err
	}
	for consumer := range acked {
		if _, stands := since[consumer]; !stands {
			since[consumer] = t.ages.now
		}
	}
	return since, t.writer.write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(`DELETE FROM retention_databases WHERE stream = ?`, stream); err != nil {
			return err
		}
		for consumer, from := range since {
			if _, err := tx.Exec(`INSERT INTO retention_databases(stream, consumer, acked, since_ns) VALUES (?,?,?,?)`,
				stream, consumer, int64(acked[consumer]), from); err != nil {
				return err
			}
		}
		return nil
	})
}
