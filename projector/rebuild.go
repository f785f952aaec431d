package projector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/fold"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
	"github.com/proctape/proctape/schema/proof"
)

// The database that is made anew lies beside the damaged one, under a name with another suffix once it is whole: then it takes the other's
// place, if need be at the next start.
const (
	anewSuffix  = ".anew"
	wholeSuffix = ".whole"
)

// maxRebuilds is how often a database is made anew within an hour: a disk that damages it again and again is not to be trusted.
const maxRebuilds = 3

// rebuilt says how a database was made anew.
type rebuilt struct {
	Damage string   `json:"damage"`
	Left   []string `json:"left"` // tables that are as the log gives them, which no longer has its beginning
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
	b.cfg.Log.Warn("the database is made anew", "took", time.Since(began).Round(time.Millisecond), "damaged", aside, "incomplete", strings.Join(r.Left, " "))
	return nil
}

// makeAnew makes the new database beside the damaged one.
func (b *rebuilder) makeAnew(ctx context.Context, damage *store.DamagedError) (*rebuilt, error) {
	remains := store.ReadRemains(b.cfg.DB, damage.Pages)
	path := b.cfg.DB + anewSuffix
	known, trimmed, err := b.knowsLog(ctx, remains)
	if err != nil {
		return nil, err
	}
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
	if err := b.replay(ctx, Config{DB: path, Once: true, Until: until, LackStreams: true, Memory: b.cfg.Memory, Log: b.cfg.Log}); err != nil {
		return nil, err
	}
	s, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	r := &rebuilt{Damage: damage.Error()}
	if r.Left, err = remains.TakeOver(s, known && trimmed); err == nil {
		if trimmed && !known {
			r.Left = []string{"all"}
		}
		note, _ := json.Marshal(r) // texts always encode
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

// knowsLog reports whether a database was folded of the streams that the log has, and whether the log no longer has all of what was
// folded.
func (b *rebuilder) knowsLog(ctx context.Context, remains store.Remains) (known, trimmed bool, err error) {
	known = len(remains.Checkpoints) > 0
	created := map[string]int64{}
	for _, c := range remains.Checkpoints {
		created[c.Stream] = c.Created
		trimmed = trimmed || c.IDBase > 0
	}
	for _, name := range schema.DataStreams {
		stream, err := b.js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			trimmed = true
			continue
		} else if err != nil {
			return false, false, fmt.Errorf("stream %s: %w", name, err)
		}
		info := stream.CachedInfo()
		trimmed = trimmed || info.State.FirstSeq > 1
		if at, ok := created[name]; ok && at != info.Created.UnixNano() {
			known = false
		}
	}
	return known, trimmed, nil
}

// exchange puts a new database that is whole in the place of the damaged one at db, whose lock is held. The damaged one is kept in the folder
// damaged; exchange returns where. Cut off in between, it goes on at the next start.
func exchange(db string) (aside string, err error) {
	whole := db + wholeSuffix
	info, err := os.Stat(whole)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(db), "damaged")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	aside = filepath.Join(dir, info.ModTime().UTC().Format("20060102T150405.000000")+"-"+filepath.Base(db)) // the same when it goes on
	if err := removeOlder(dir, aside, filepath.Base(db)); err != nil {
		return "", err
	}
	if err := os.Link(db, aside); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, step := range []func() error{
		func() error { return rename(db+"-wal", aside+"-wal") },
		func() error { return remove(db + "-shm") },
		func() error { return rename(proof.Path(whole), proof.Path(db)) },
		func() error { return os.Rename(whole, db) },
		func() error { return removeDatabase(db + anewSuffix) },
	} {
		if err := step(); err != nil {
			return aside, err
		}
	}
	return aside, syncFolder(filepath.Dir(db))
}

// removeOlder removes the damaged databases of a name that were kept before: each may be as large as the present one.
func removeOlder(dir, aside, name string) error {
	kept, err := filepath.Glob(filepath.Join(dir, "*-"+name+"*"))
	for _, path := range kept {
		if !strings.HasPrefix(path, aside) {
			err = errors.Join(err, remove(path))
		}
	}
	return err
}

// finishExchange goes on with an exchange that was cut off.
func finishExchange(db string) error {
	if _, err := os.Stat(db + wholeSuffix); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := lockfile.Acquire(lockfile.DatabasePath(db))
	if err != nil {
		return fmt.Errorf("lock the database: %w", err)
	}
	if _, err = exchange(db); err != nil {
		err = fmt.Errorf("put the database that was made anew in its place: %w", err)
	}
	return errors.Join(err, lock.Release())
}

// removeDatabase removes a database, and the files beside it.
func removeDatabase(path string) error {
	return errors.Join(remove(path), remove(path+"-wal"), remove(path+"-shm"), remove(proof.Path(path)), remove(lockfile.DatabasePath(path)))
}

// remove removes a file that may be missing.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// rename moves a file that may be missing.
func rename(from, to string) error {
	if err := os.Rename(from, to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// tellRebuilt adds a gap that tells how a database was made anew, of the note in it.
func tellRebuilt(note string, f *fold.Fold, batch *store.Batch) error {
	var r rebuilt
	if err := json.Unmarshal([]byte(note), &r); err != nil {
		return fmt.Errorf("read how the database was made anew: %w", err)
	}
	lost := schema.Some[int64](0)
	details := r.Damage + "; made anew from the log, with all its rows"
	if len(r.Left) > 0 {
		lost = schema.Opt[int64]{}
		details = r.Damage + "; made anew from the log, which no longer has its beginning: what was before that is lost of " + strings.Join(r.Left, ", ")
	}
	f.NoteRebuilt(details, lost, batch)
	batch.NoteTold = true
	return nil
}
