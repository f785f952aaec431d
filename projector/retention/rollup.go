package retention

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
)

// rollUp is the rollup of a host's minute: of the snapshots that are there and, where the minute was rolled up before
// some of them came, of what that rollup covers too. It is nil when there is nothing new to tell.
func (c *condenser) rollUp(ctx context.Context, hm hostMinute) (*schema.Message, error) {
	covers, id, err := c.stored(ctx, hm)
	if err != nil {
		return nil, err
	}
	fresh := slices.DeleteFunc(slices.Clone(hm.heads), func(h head) bool { return covered(covers, h) })
	if len(fresh) == 0 {
		return nil, nil
	}
	u, err := c.aggregate(ctx, hm.minute, fresh)
	if err != nil {
		return nil, err
	}
	newest := fresh[len(fresh)-1]
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindRollup, Host: hm.host,
		BootID: newest.bootID, Wall: newest.wall, Boot: newest.boot}, Rollup: u}
	if id != 0 {
		before, err := c.published(ctx, id)
		if errors.Is(err, jetstream.ErrMsgNotFound) { // what came late stays as it is until that rollup goes
			c.log.Warn("snapshots came late, and the rollup of their minute is no longer in the log", "host", hm.host,
				"minute", time.Unix(0, hm.minute).UTC(), "snapshots", len(fresh))
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the rollup before: %w", err)
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
func (c *condenser) published(ctx context.Context, id int64) (*schema.Message, error) {
	stream, err := c.js.Stream(ctx, schema.StreamRollups)
	if err != nil {
		return nil, err
	}
	var base int64
	err = each(ctx, c.read, `SELECT id_base FROM checkpoints WHERE stream = ?`,
		func(rows *sql.Rows) error { return rows.Scan(&base) }, schema.StreamRollups)
	if err != nil {
		return nil, err
	}
	if id <= base {
		return nil, fmt.Errorf("rollup %d came from a log that is gone: %w", id, jetstream.ErrMsgNotFound)
	}
	msg, err := stream.GetMsg(ctx, uint64(id-base))
	if err != nil {
		return nil, err
	}
	return schema.DecodeMsg(msg.Subject, msg.Header, msg.Data)
}

// publish sends rollups to the log and returns the highest sequence that the log gave them.
func (c *condenser) publish(ctx context.Context, made []*schema.Message) (last uint64, err error) {
	futures := make([]jetstream.PubAckFuture, len(made))
	for i, m := range made {
		msg := nats.NewMsg("")
		var err error
		if msg.Subject, msg.Data, err = schema.EncodeMsg(m, msg.Header); err != nil {
			return 0, fmt.Errorf("encode a rollup: %w", err)
		}
		if futures[i], err = c.js.PublishMsgAsync(msg); err != nil {
			return 0, fmt.Errorf("publish a rollup: %w", err)
		}
	}
	for _, f := range futures {
		select {
		case ack := <-f.Ok():
			last = max(last, ack.Sequence)
			if !ack.Duplicate {
				c.removed.RollupsMade++
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
func (c *condenser) aggregate(ctx context.Context, minute int64, heads []head) (*schema.Rollup, error) {
	u := &schema.Rollup{Minute: minute, Samples: int64(len(heads)), Covers: coversOf(heads)}
	var used, load, cpu []int64
	procs := newProcessAggregator()
	for _, h := range heads {
		s, err := c.system(ctx, h.id)
		if err != nil {
			return nil, err
		}
		s.addTo(u)
		used, load = append(used, s.total-s.available), append(load, s.load1)
		busy, err := procs.add(ctx, c.read, h)
		if err != nil {
			return nil, err
		}
		cpu = append(cpu, busy)
	}
	expected := expectedSamples(u.Interval)
	u.MemoryUsed, u.Load1, u.CPU = schema.SpreadOf(used, expected), schema.SpreadOf(load, expected), schema.SpreadOf(cpu, expected)
	var err error
	u.Processes, err = procs.rollups(ctx, c.read, expected)
	u.Partial = u.Partial || procs.dropped > 0
	return u, err
}

// system is what a snapshot says of its host.
type system struct {
	interval, daemonPID, daemonRSS, cpus int64
	total, available                     int64 // KiB
	load1, load5, load15                 int64 // hundredths
	processes, zombies, jobs, sheets     int64
	pressure                             string
	partial                              bool
	gpus                                 []schema.GPU
}

func (c *condenser) system(ctx context.Context, id int64) (s system, err error) {
	var total, available, daemon, load1, load5, load15 float64
	var gpus []byte
	err = c.read.QueryRowContext(ctx, `SELECT interval_ns, coalesce(daemon_pid,0), coalesce(daemon_rss_mb,0), coalesce(cpus,0),
		coalesce(system_memory_total_mb,0), coalesce(system_memory_available_mb,0), coalesce(load_avg_1,0), coalesce(load_avg_5,0),
		coalesce(load_avg_15,0), coalesce(child_count,0), coalesce(zombie_count,0), coalesce(running_jobs,0),
		coalesce(active_sheets,0), coalesce(pressure_level,''), partial, gpus FROM snapshots WHERE id = ?`, id).
		Scan(&s.interval, &s.daemonPID, &daemon, &s.cpus, &total, &available, &load1, &load5, &load15, &s.processes, &s.zombies,
			&s.jobs, &s.sheets, &s.pressure, &s.partial, &gpus)
	if err != nil {
		return s, fmt.Errorf("read snapshot %d: %w", id, err)
	}
	s.total, s.available, s.daemonRSS = times(total, 1024), times(available, 1024), times(daemon, 1024)
	s.load1, s.load5, s.load15 = times(load1, 100), times(load5, 100), times(load15, 100)
	s.gpus, err = ndjson.ParseGPUs(gpus)
	return s, err
}

// times is a column in its unit on the wire, from which it was computed.
func times(v, n float64) int64 { return int64(math.Round(v * n)) }
