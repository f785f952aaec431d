package retention

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// roller makes rollups of snapshots.
type roller struct{ *pass }

// rollUp is the rollup of a host's minute: of the snapshots that are there and, where the minute was rolled up before
// some of them came, of what that rollup covers too. It is nil when there is nothing new to tell.
func (r *roller) rollUp(ctx context.Context, hm hostMinute) (*schema.Message, error) {
	if hm.broken != nil {
		return nil, hm.broken
	}
	covers, id, err := r.stored(ctx, hm)
	if err != nil {
		return nil, err
	}
	fresh := slices.DeleteFunc(slices.Clone(hm.heads), func(h head) bool { return covered(covers, h) })
	if len(fresh) == 0 {
		return nil, nil
	}
	u, err := r.aggregate(ctx, hm.minute, fresh)
	if err != nil {
		return nil, err
	}
	newest := fresh[len(fresh)-1]
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindRollup, Host: hm.host,
		BootID: newest.bootID, Wall: newest.wall, Boot: newest.boot}, Rollup: u}
	if id != 0 {
		before, err := r.published(ctx, id)
		if errors.Is(err, jetstream.ErrMsgNotFound) { // what came late stays as it is until that rollup goes
			r.log.Warn("snapshots came late, and the rollup of their minute is no longer in the log", "host", hm.host,
				"minute", time.Unix(0, hm.minute).UTC(), "snapshots", len(fresh))
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the rollup before: %w", err)
		}
		if before.Rollup == nil {
			return nil, fmt.Errorf("read the rollup before: it is a message of kind %s", before.Kind)
		}
		m.Rollup = mergeRollups(before.Rollup, u, before.Wall > m.Wall)
		if before.Wall > m.Wall {
			m.BootID, m.Wall, m.Boot = before.BootID, before.Wall, before.Boot
		}
	}
	m.Instance, m.Seq = schema.RollupInstance(hm.host, hm.minute, m.Rollup.Covers), uint64(m.Rollup.Samples)
	return m, nil
}

// published reads the message of a rollup back from the log: it has what the tables do not need.
func (r *roller) published(ctx context.Context, id int64) (*schema.Message, error) {
	stream, err := r.js.Stream(ctx, schema.StreamRollups)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLog, err)
	}
	var base int64
	err = schema.EachRow(ctx, r.read, `SELECT id_base FROM checkpoints WHERE stream = ?`,
		func(rows *sql.Rows) error { return rows.Scan(&base) }, schema.StreamRollups)
	if err != nil {
		return nil, err
	}
	if id <= base {
		return nil, fmt.Errorf("rollup %d came from a log that is gone: %w", id, jetstream.ErrMsgNotFound)
	}
	msg, err := stream.GetMsg(ctx, uint64(id-base))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLog, err)
	}
	return schema.DecodeMsg(msg.Subject, msg.Header, msg.Data)
}

// publish rolls up a minute and sends the rollup to the log. The future is nil when there is nothing new to tell.
func (r *roller) publish(ctx context.Context, hm hostMinute) (jetstream.PubAckFuture, error) {
	m, err := r.rollUp(ctx, hm)
	if err != nil || m == nil {
		return nil, err
	}
	msg := nats.NewMsg("")
	if msg.Subject, msg.Data, err = schema.EncodeMsg(m, msg.Header); err != nil { // out of bounds, or too large
		return nil, fmt.Errorf("encode the rollup: %w", err)
	}
	future, err := r.js.PublishMsgAsync(msg)
	if err != nil && !errors.Is(err, nats.ErrMaxPayload) { // the server takes none so large, whoever sends it
		err = fmt.Errorf("%w: %w", errLog, err)
	}
	return future, err
}

// acknowledged waits until the log has stored rollups, and returns the highest sequence that it gave them.
func (r *roller) acknowledged(ctx context.Context, sent []jetstream.PubAckFuture) (last uint64, err error) {
	for _, f := range sent {
		select {
		case ack := <-f.Ok():
			last = max(last, ack.Sequence)
			if !ack.Duplicate {
				r.removed.RollupsMade++
			}
		case err := <-f.Err():
			return 0, fmt.Errorf("publish a rollup: %w", err)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return last, nil
}

// aggregate makes a rollup of some snapshots of one host's minute, which are oldest first.
func (r *roller) aggregate(ctx context.Context, minute int64, heads []head) (*schema.Rollup, error) {
	u := &schema.Rollup{Minute: minute, Samples: int64(len(heads)), Covers: coversOf(heads)}
	var used, load, cpu []int64
	procs := newProcessAggregator()
	for _, h := range heads {
		s, err := readSystem(ctx, r.read, h.id)
		if err != nil {
			return nil, err
		}
		s.addTo(u)
		used, load = append(used, s.total-s.available), append(load, s.load1)
		busy, err := procs.add(ctx, r.read, h)
		if err != nil {
			return nil, err
		}
		cpu = append(cpu, busy)
	}
	expected := expectedSamples(u.Interval)
	u.MemoryUsed, u.Load1, u.CPU = schema.SpreadOf(used, expected), schema.SpreadOf(load, expected), schema.SpreadOf(cpu, expected)
	var err error
	u.Processes, err = procs.rollups(ctx, r.read, expected)
	u.Partial = u.Partial || procs.dropped > 0
	return u, err
}

// stored is which snapshots the rollup of a host's minute covers, and its row id; 0 when there is none.
func (r *roller) stored(ctx context.Context, hm hostMinute) (covers []schema.Cover, id int64, err error) {
	var text string
	err = schema.EachRow(ctx, r.read, `SELECT id, covers FROM rollups WHERE host_id = ? AND timestamp = ?`,
		func(rows *sql.Rows) error { return rows.Scan(&id, &text) }, hm.hostID, schema.Timestamp(hm.minute))
	if err != nil || id == 0 {
		return nil, 0, err
	}
	if covers, err = store.ParseCovers(text); err != nil {
		return nil, 0, fmt.Errorf("rollup %d: %w", id, err)
	}
	return covers, id, nil
}

func covered(covers []schema.Cover, h head) bool {
	for _, c := range covers {
		if c.Has(h.instance, h.seq) {
			return true
		}
	}
	return false
}
