package projector

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// trimStep is how many messages are purged at a time: a purge stops the stream meanwhile.
const trimStep = 50_000

// kept is, by stream, where the oldest row that this database still has came from.
var kept = map[string]string{
	schema.StreamSnapshots: `SELECT min(id) FROM snapshots WHERE id > ?1`,
	schema.StreamEvents: `SELECT min(id) FROM (SELECT min(id) >> 10 AS id FROM process_events WHERE id >= (?1 + 1) << 10
		UNION ALL SELECT min(id) >> 10 FROM job_events WHERE id >= (?1 + 1) << 10
		UNION ALL SELECT ?1 + min(at_seq) FROM gaps WHERE stream = 'PROCTAPE_EVENTS' AND epoch = ?2)`,
	schema.StreamRollups: `SELECT min(id) FROM rollups WHERE id > ?1`,
}

// trim purges what no database needs any more: up to the oldest row that this one still has, and no further than every
// other has committed.
func (r *retention) trim(ctx context.Context) error {
	if r.js == nil {
		return nil
	}
	for _, name := range schema.DataStreams {
		if err := r.trimStream(ctx, name); err != nil {
			return fmt.Errorf("stream %s: %w", name, err)
		}
	}
	return nil
}

func (r *retention) trimStream(ctx context.Context, name string) error {
	stream, err := r.js.Stream(ctx, name)
	if err != nil {
		return err
	}
	keep, err := r.oldestNeeded(ctx, name)
	if err != nil {
		return err
	}
	if keep, err = r.heldBack(ctx, stream, keep); err != nil {
		return err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return nil
	}
	for first := state.FirstSeq; first < keep; {
		to := min(first+trimStep, keep)
		if !r.dry {
			if err := stream.Purge(ctx, jetstream.WithPurgeSequence(to)); err != nil {
				return err
			}
		}
		r.removed.Messages += int64(to - first)
		first = to
		if err := r.alive(); err != nil {
			return err
		}
	}
	return nil
}

// oldestNeeded is the first sequence of a stream that this database does not want trimmed: it has a row of it, or has
// not folded it yet.
func (r *retention) oldestNeeded(ctx context.Context, name string) (uint64, error) {
	var epoch, base, seq int64
	err := r.db.QueryRowContext(ctx, `SELECT epoch, id_base, seq FROM checkpoints WHERE stream = ?`, name).Scan(&epoch, &base, &seq)
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
	if err := r.db.QueryRowContext(ctx, kept[name], args...).Scan(&oldest); err != nil {
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
func (r *retention) heldBack(ctx context.Context, stream jetstream.Stream, keep uint64) (uint64, error) {
	name := stream.CachedInfo().Config.Name
	others, err := r.others(ctx, stream)
	if err != nil {
		return 0, err
	}
	since, err := r.standing(ctx, name, others, stream.CachedInfo().State.LastSeq)
	if err != nil {
		return 0, err
	}
	for consumer, acked := range others {
		if acked+1 >= keep {
			continue
		}
		if stood := time.Duration(r.ages.now - since[consumer]); stood > r.away(name) {
			r.log.Warn("a database has not moved for too long; the log no longer waits for it", "stream", name,
				"consumer", consumer, "stood", stood.Round(time.Second), "behind", keep-1-acked)
			r.removed.LeftBehind++
			if r.dry {
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
func (r *retention) away(stream string) time.Duration {
	if r.cfg.Away > 0 {
		return r.cfg.Away
	}
	switch stream {
	case schema.StreamSnapshots:
		return r.limits.full
	case schema.StreamRollups:
		return r.limits.downsampled
	}
	return r.limits.events
}

// others is how far the other databases have committed a stream, by durable.
func (r *retention) others(ctx context.Context, stream jetstream.Stream) (map[string]uint64, error) {
	own := schema.ConsumerName(r.id)
	acked := map[string]uint64{}
	list := stream.ListConsumers(ctx)
	for info := range list.Info() {
		if strings.HasPrefix(info.Name, schema.ConsumerName("")) && info.Name != own {
			acked[info.Name] = info.AckFloor.Stream
		}
	}
	return acked, list.Err()
}

// standing notes how far the other databases are, and returns since when each has been there, by retention's clock. One
// that is at the stream's end does not stand.
func (r *retention) standing(ctx context.Context, stream string, acked map[string]uint64, last uint64) (map[string]int64, error) {
	since := map[string]int64{}
	err := each(ctx, r.db, `SELECT consumer, acked, since_ns FROM retention_databases WHERE stream = ?`, func(rows *sql.Rows) error {
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
			since[consumer] = r.ages.now
		}
	}
	return since, r.write(ctx, func(f *fold) error {
		if _, err := f.db.exec(`DELETE FROM retention_databases WHERE stream = ?`, stream); err != nil {
			return err
		}
		for consumer, from := range since {
			if _, err := f.db.exec(`INSERT INTO retention_databases(stream, consumer, acked, since_ns) VALUES (?,?,?,?)`,
				stream, consumer, int64(acked[consumer]), from); err != nil {
				return err
			}
		}
		return nil
	})
}
