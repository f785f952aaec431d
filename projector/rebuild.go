package projector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/fold"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
	"github.com/proctape/proctape/schema/proof"
)

// maxRebuilds is how often a database is made anew within an hour: a disk that damages it again and again is not to be trusted.
const maxRebuilds = 3

// rebuilt says how a database was made anew.
type rebuilt struct {
	Damage string `json:"damage"`
	Lacks  []lack `json:"lacks"`
}

// lack is what a database that was made anew lacks, since a stream no longer has its beginning.
type lack struct {
	Stream string            `json:"stream"`
	Until  int64             `json:"until"` // when the server took the first message that the stream has, Unix ns
	Tables []string          `json:"tables"`
	Rows   schema.Opt[int64] `json:"rows"`
}

// rebuilder makes a damaged database anew.
type rebuilder struct {
	cfg    Config
	js     jetstream.JetStream
	replay func(context.Context, Config) error // folds the log into a new database
	mended *store.DamagedError                 // of which the database was made anew last
	times  []time.Time                         // when it was made anew
}

// rebuild makes a damaged database anew from the log, in its place. What the log no longer gives is taken over from the damaged
// one, table by table, as far as it is sound. Readers have the damaged one until then.
func (b *rebuilder) rebuild(ctx context.Context, damage *store.DamagedError) error {
	began := time.Now()
	if n := len(b.times); n >= maxRebuilds && began.Sub(b.times[n-maxRebuilds]) < time.Hour {
		return &store.DamagedError{Path: b.cfg.DB, Verdict: fmt.Sprintf("again, after it was made anew %d times in an hour: look at the disk", maxRebuilds), Final: true}
	}
	b.cfg.Log.Error("the database is damaged and is made anew from the log; what comes meanwhile waits in the log", "err", damage)
	lock, err := lockfile.Acquire(lockfile.DatabasePath(b.cfg.DB))
	if err != nil {
		return fmt.Errorf("lock the database: %w", err)
	}
	r, err := b.makeAnew(ctx, damage)
	var aside string
	if err == nil {
		aside, err = exchange(b.cfg.DB)
	}
	if err = errors.Join(err, lock.Release()); err != nil {
		return fmt.Errorf("make the database anew: %w", err)
	}
	b.mended, b.times = damage, append(b.times, began)
	b.cfg.Log.Warn("the database is made anew", "took", time.Since(began).Round(time.Millisecond), "damaged", aside, "incomplete", strings.Join(r.tables(), " "))
	return nil
}

// makeAnew makes the new database beside the damaged one.
func (b *rebuilder) makeAnew(ctx context.Context, damage *store.DamagedError) (*rebuilt, error) {
	remains := store.ReadRemains(b.cfg.DB, damage.Pages)
	path := b.cfg.DB + anewSuffix
	known, begins, err := b.knowsLog(ctx, remains)
	if err != nil {
		return nil, err
	}
	trimmed := len(begins) > 0
	var until map[string]uint64
	if known {
		until = map[string]uint64{}
		for _, c := range remains.Checkpoints {
			until[c.Stream] = c.Seq
		}
	}
	if err := beginAnew(path, remains, known && trimmed); err != nil {
		return nil, err
	}
	if err := b.replay(ctx, Config{DB: path, Once: true, Until: until, LackStreams: true, Hosts: remains.Hosts, Memory: b.cfg.Memory, Log: b.cfg.Log}); err != nil {
		return nil, err
	}
	s, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	r := &rebuilt{Damage: damage.Error()}
	left, err := remains.TakeOver(s, known && trimmed)
	if err == nil {
		if trimmed && !known {
			left = []store.Left{{Tables: []string{store.AllTables}}}
		}
		r.Lacks = lacksOf(left, begins)
		note, _ := json.Marshal(r) // texts and numbers always encode
		err = s.Inherit(remains.ID, string(note))
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	whole := b.cfg.DB + wholeSuffix
	return r, errors.Join(os.Rename(proof.Path(path), proof.Path(whole)), os.Rename(path, whole), syncFolder(filepath.Dir(path)))
}

// beginAnew makes the new database, with the row ids of the damaged one where it is to take over rows of it.
func beginAnew(path string, remains store.Remains, sameIDs bool) error {
	if err := removeDatabase(path); err != nil { // of a try that was cut off
		return err
	}
	s, err := store.Open(path)
	if err != nil {
		return err
	}
	if err = s.BeginReplay(); err == nil && sameIDs {
		err = remains.Begin(s)
	}
	return errors.Join(err, s.Close())
}

// knowsLog reports whether a database was folded of the streams that the log has. For each stream of which the log no longer has all that was
// folded, begins has when the server took the first message that it has (Unix ns), or now where there is none.
func (b *rebuilder) knowsLog(ctx context.Context, remains store.Remains) (known bool, begins map[string]int64, err error) {
	known, begins = len(remains.Checkpoints) > 0, map[string]int64{}
	folded := map[string]store.Checkpoint{}
	for _, c := range remains.Checkpoints {
		folded[c.Stream] = c
	}
	for _, name := range schema.DataStreams {
		stream, err := b.js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			begins[name] = time.Now().UnixNano()
			continue
		} else if err != nil {
			return false, nil, fmt.Errorf("stream %s: %w", name, err)
		}
		info, before := stream.CachedInfo(), folded[name]
		if info.State.FirstSeq > 1 || before.IDBase > 0 {
			begins[name] = time.Now().UnixNano()
			if info.State.Msgs > 0 {
				begins[name] = info.State.FirstTime.UnixNano()
			}
		}
		if before.Stream != "" && before.Created != info.Created.UnixNano() {
			known = false
		}
	}
	return known, begins, nil
}

// feeds are the tables that one stream alone feeds. The others have something of all.
var feeds = map[string]string{
	"snapshots": schema.StreamSnapshots, "rollups": schema.StreamRollups,
	"process_events": schema.StreamEvents, "process_execs": schema.StreamEvents, "job_events": schema.StreamEvents,
}

// lacksOf says what tables lack that are as the log gives them, by the stream that no longer has its beginning.
func lacksOf(left []store.Left, begins map[string]int64) (lacks []lack) {
	for _, l := range left {
		streams := []string{schema.StreamEvents, schema.StreamSnapshots, schema.StreamRollups}
		if one := feeds[l.Tables[0]]; one != "" {
			streams = []string{one}
		}
		i := slices.IndexFunc(streams, func(name string) bool { return begins[name] != 0 })
		if i < 0 {
			continue // the log has all of it
		}
		lacks = addLack(lacks, lack{streams[i], begins[streams[i]], l.Tables, l.Rows})
	}
	return lacks
}

// addLack adds a lack to the others of its stream.
func addLack(lacks []lack, l lack) []lack {
	i := slices.IndexFunc(lacks, func(other lack) bool { return other.Stream == l.Stream })
	if i < 0 {
		return append(lacks, l)
	}
	other := &lacks[i]
	other.Tables = append(other.Tables, l.Tables...)
	other.Rows = schema.Opt[int64]{V: other.Rows.V + l.Rows.V, Known: other.Rows.Known && l.Rows.Known}
	return lacks
}

// tables are the tables that lack something.
func (r *rebuilt) tables() (all []string) {
	for _, l := range r.Lacks {
		all = append(all, l.Tables...)
	}
	return all
}

// tellRebuilt adds gaps that tell how a database was made anew, of the note in it: one, or one for each stream that no longer has its
// beginning.
func tellRebuilt(note string, f *fold.Fold, batch *store.Batch) error {
	var r rebuilt
	if err := json.Unmarshal([]byte(note), &r); err != nil {
		return fmt.Errorf("read how the database was made anew: %w", err)
	}
	batch.NoteTold = true
	if len(r.Lacks) == 0 {
		f.NoteRebuilt(schema.StreamEvents, store.Gap{Details: r.Damage + "; made anew from the log, with all its rows", Count: schema.Some[int64](0)}, batch)
	}
	for _, l := range r.Lacks {
		f.NoteRebuilt(l.Stream, store.Gap{Details: r.Damage + "; made anew from the log, in which the beginning of this stream is gone: what was before that is lost of " +
			strings.Join(l.Tables, ", "), Count: l.Rows, To: l.Until}, batch)
	}
	return nil
}
