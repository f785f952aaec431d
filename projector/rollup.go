package projector

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// rollUp is the rollup of a host's minute: of the snapshots that are there and, where the minute was rolled up before
// some of them came, of what that rollup covers too. It is nil when there is nothing new to tell.
func (r *retention) rollUp(ctx context.Context, hm hostMinute) (*schema.Message, error) {
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
		m.Rollup = mergeRollups(before.Rollup, u, before.Wall > m.Wall)
		if before.Wall > m.Wall {
			m.BootID, m.Wall, m.Boot = before.BootID, before.Wall, before.Boot
		}
	}
	m.Instance, m.Seq = schema.RollupInstance(hm.host, hm.minute, m.Rollup.Covers), uint64(m.Rollup.Samples)
	return m, nil
}

// published reads the message of a rollup back from the log: it has what the tables do not need.
func (r *retention) published(ctx context.Context, id int64) (*schema.Message, error) {
	stream, err := r.js.Stream(ctx, schema.StreamRollups)
	if err != nil {
		return nil, err
	}
	var base int64
	err = each(ctx, r.db, `SELECT id_base FROM checkpoints WHERE stream = ?`,
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
	return schema.Decode(msg.Header.Get(schema.HeaderType), msg.Header.Get(schema.HeaderEncoding), msg.Data)
}

// publish sends rollups to the log and returns the highest sequence that the log gave them.
func (r *retention) publish(ctx context.Context, made []*schema.Message) (last uint64, err error) {
	futures := make([]jetstream.PubAckFuture, len(made))
	for i, m := range made {
		payload, encoding, err := schema.Encode(nil, m)
		if err != nil {
			return 0, fmt.Errorf("encode a rollup: %w", err)
		}
		msg := nats.NewMsg(schema.Subject(m.Host, m.Kind))
		msg.Data = payload
		msg.Header.Set(nats.MsgIdHdr, m.ID())
		if encoding != "" {
			msg.Header.Set(schema.HeaderEncoding, encoding)
		}
		if futures[i], err = r.js.PublishMsgAsync(msg); err != nil {
			return 0, fmt.Errorf("publish a rollup: %w", err)
		}
	}
	for _, f := range futures {
		select {
		case ack := <-f.Ok():
			last = max(last, ack.Sequence)
			if !ack.Duplicate {
				r.removed.Rollups++
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
func (r *retention) aggregate(ctx context.Context, minute int64, heads []head) (*schema.Rollup, error) {
	u := &schema.Rollup{Minute: minute, Samples: int64(len(heads)), Covers: coversOf(heads)}
	var used, load, cpu []int64
	procs := newProcessAggregator()
	for _, h := range heads {
		s, err := r.system(ctx, h.id)
		if err != nil {
			return nil, err
		}
		s.addTo(u)
		used, load = append(used, s.total-s.available), append(load, s.load1)
		busy, err := procs.add(ctx, r.db, h)
		if err != nil {
			return nil, err
		}
		cpu = append(cpu, busy)
	}
	expected := expectedSamples(u.Interval)
	u.MemoryUsed, u.Load1, u.CPU = schema.SpreadOf(used, expected), schema.SpreadOf(load, expected), schema.SpreadOf(cpu, expected)
	var err error
	u.Processes, err = procs.rollups(ctx, r.db, expected)
	u.Partial = u.Partial || procs.dropped > 0
	return u, err
}

// expectedSamples is how many samples a minute has.
func expectedSamples(interval int64) int64 {
	if interval <= 0 {
		return 0
	}
	return int64(time.Minute) / interval
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

func (r *retention) system(ctx context.Context, id int64) (s system, err error) {
	var total, available, daemon, load1, load5, load15 float64
	var gpus []byte
	err = r.db.QueryRowContext(ctx, `SELECT interval_ns, coalesce(daemon_pid,0), coalesce(daemon_rss_mb,0), coalesce(cpus,0),
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
	s.gpus, err = gpusOf(gpus)
	return s, err
}

// times is a column in its unit on the wire, from which it was computed.
func times(v, n float64) int64 { return int64(math.Round(v * n)) }

// addTo takes the snapshot, which is newer than those before, into the rollup.
func (s *system) addTo(u *schema.Rollup) {
	u.Interval, u.DaemonPID, u.CPUs, u.MemoryTotal = s.interval, int(s.daemonPID), int(s.cpus), uint64(s.total)
	u.Load5, u.Load15 = s.load5, s.load15
	u.DaemonRSS = max(u.DaemonRSS, uint64(s.daemonRSS))
	u.ProcessCount, u.Zombies = max(u.ProcessCount, s.processes), max(u.Zombies, s.zombies)
	u.RunningJobs, u.ActiveSheets = max(u.RunningJobs, s.jobs), max(u.ActiveSheets, s.sheets)
	u.PressureLevel = worsePressure(u.PressureLevel, s.pressure)
	u.Partial = u.Partial || s.partial
	u.GPUs = mostOfGPUs(u.GPUs, s.gpus)
}

var pressureLevels = []string{"", "none", "low", "medium", "high", "critical"}

func worsePressure(a, b string) string {
	if slices.Index(pressureLevels, a) >= slices.Index(pressureLevels, b) {
		return a
	}
	return b
}

// mostOfGPUs is the larger of each figure, by index.
func mostOfGPUs(a, b []schema.GPU) []schema.GPU {
	for _, g := range b {
		i := slices.IndexFunc(a, func(x schema.GPU) bool { return x.Index == g.Index })
		if i < 0 {
			a = append(a, g)
			continue
		}
		raise(&a[i].Utilization, g.Utilization)
		raise(&a[i].MemoryUsed, g.MemoryUsed)
		raise(&a[i].MemoryTotal, g.MemoryTotal)
		raise(&a[i].Temperature, g.Temperature)
	}
	slices.SortFunc(a, func(x, y schema.GPU) int { return cmp.Compare(x.Index, y.Index) })
	return a
}

// gpusOf reads the column that ndjson.AppendGPUs writes.
func gpusOf(text []byte) ([]schema.GPU, error) {
	var rows []struct {
		Index       int      `json:"index"`
		Utilization *float64 `json:"utilization_pct"`
		Used        *float64 `json:"memory_used_mb"`
		Total       *float64 `json:"memory_total_mb"`
		Temperature *float64 `json:"temperature_c"`
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, fmt.Errorf("read GPUs: %w", err)
	}
	scaled := func(v *float64, n float64) schema.Opt[int64] {
		if v == nil {
			return schema.Opt[int64]{}
		}
		return schema.Some(times(*v, n))
	}
	var gpus []schema.GPU
	for _, g := range rows {
		gpus = append(gpus, schema.GPU{Index: g.Index, Utilization: scaled(g.Utilization, 10), MemoryUsed: scaled(g.Used, 1024),
			MemoryTotal: scaled(g.Total, 1024), Temperature: scaled(g.Temperature, 10)})
	}
	return gpus, nil
}

// coversOf is which snapshots there are, as few spans.
func coversOf(heads []head) []schema.Cover {
	sorted := slices.SortedFunc(slices.Values(heads), func(a, b head) int {
		return cmp.Or(slices.Compare(a.instance[:], b.instance[:]), cmp.Compare(a.seq, b.seq))
	})
	var covers []schema.Cover
	for _, h := range sorted {
		covers = appendCover(covers, schema.Cover{Instance: h.instance, First: h.seq, Last: h.seq})
	}
	return covers
}

// appendCover appends a span that begins after all that are there, or joins it to the last.
func appendCover(covers []schema.Cover, c schema.Cover) []schema.Cover {
	if n := len(covers); n > 0 && covers[n-1].Instance == c.Instance && covers[n-1].Last+1 == c.First {
		covers[n-1].Last = c.Last
		return covers
	}
	return append(covers, c)
}

// mergeRollups is the rollup of all that went into two of one minute, which have no snapshot in common. What is that of
// the last snapshot comes from a when aIsNewer is set.
func mergeRollups(a, b *schema.Rollup, aIsNewer bool) *schema.Rollup {
	if !aIsNewer {
		a, b = b, a // a is the newer from here on
	}
	u := *a
	expected := expectedSamples(min(a.Interval, b.Interval))
	u.Samples = a.Samples + b.Samples
	u.Covers = mergeCovers(a.Covers, b.Covers)
	u.DaemonRSS = max(a.DaemonRSS, b.DaemonRSS)
	u.MemoryUsed = schema.MergeSpreads(a.MemoryUsed, b.MemoryUsed, expected)
	u.Load1 = schema.MergeSpreads(a.Load1, b.Load1, expected)
	u.CPU = schema.MergeSpreads(a.CPU, b.CPU, expected)
	u.ProcessCount, u.Zombies = max(a.ProcessCount, b.ProcessCount), max(a.Zombies, b.Zombies)
	u.RunningJobs, u.ActiveSheets = max(a.RunningJobs, b.RunningJobs), max(a.ActiveSheets, b.ActiveSheets)
	u.PressureLevel = worsePressure(a.PressureLevel, b.PressureLevel)
	u.Partial = a.Partial || b.Partial
	u.GPUs = mostOfGPUs(slices.Clone(a.GPUs), b.GPUs)
	u.Processes = mergeProcesses(a.Processes, b.Processes, expected)
	return &u
}

func mergeCovers(a, b []schema.Cover) []schema.Cover {
	all := slices.SortedFunc(slices.Values(slices.Concat(a, b)), func(x, y schema.Cover) int {
		return cmp.Or(slices.Compare(x.Instance[:], y.Instance[:]), cmp.Compare(x.First, y.First))
	})
	var covers []schema.Cover
	for _, c := range all {
		covers = appendCover(covers, c)
	}
	return covers
}

// description is a process under one description.
type description struct {
	boot         string
	pid, ppid    int
	start        uint64
	uid, sheet   schema.Opt[int64]
	job, command string
}

func describedBy(p *schema.ProcessRollup) description {
	return description{p.BootID, p.PID, p.PPID, p.StartTicks, p.UID, p.Sheet, p.JobID, p.Command}
}

func mergeProcesses(a, b []schema.ProcessRollup, expected int64) []schema.ProcessRollup {
	merged := slices.Clone(a)
	at := make(map[description]int, len(a)+len(b))
	for i := range merged {
		at[describedBy(&merged[i])] = i
	}
	for i := range b {
		k, ok := at[describedBy(&b[i])]
		if !ok {
			at[describedBy(&b[i])] = len(merged)
			merged = append(merged, b[i])
			continue
		}
		x, y := merged[k], b[i]
		if y.LastBoot > x.LastBoot {
			x, y = y, x
		}
		x.Samples += y.Samples
		x.CPU, x.RSS = schema.MergeSpreads(x.CPU, y.CPU, expected), schema.MergeSpreads(x.RSS, y.RSS, expected)
		merged[k] = x
	}
	sortProcesses(merged)
	return merged
}

// sortProcesses brings processes into an order that their own values give, so that a rollup is the same message
// whoever makes it, and however often.
func sortProcesses(procs []schema.ProcessRollup) {
	slices.SortFunc(procs, func(a, b schema.ProcessRollup) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.StartTicks, b.StartTicks), cmp.Compare(a.BootID, b.BootID),
			cmp.Compare(a.PPID, b.PPID), cmp.Compare(a.JobID, b.JobID), compareOpt(a.Sheet, b.Sheet), compareOpt(a.UID, b.UID),
			cmp.Compare(a.Command, b.Command))
	})
}

func compareOpt(a, b schema.Opt[int64]) int { return cmp.Compare(a.Or(-1), b.Or(-1)) }
