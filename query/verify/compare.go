// Package verify checks what a database holds: a database goes in, and out come its damage, hashes of its content, and where
// it differs from another database or from what its log says.
package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema/lockfile"
	"github.com/proctape/proctape/schema/proof"
)

// Log is the log that a database is compared with.
type Log interface {
	// Streams is what the log's streams hold now, by name.
	Streams(ctx context.Context) (map[string]*query.LogStream, error)
	// Replay makes a database of the log at a new path, from each stream's beginning up to the sequence that until has for it. A
	// stream that the log does not have counts as empty.
	Replay(ctx context.Context, path string, until map[string]uint64) error
}

// Config says what [Compare] reads.
type Config struct {
	// Database is the path of the database to verify. Somebody may be writing it.
	Database string
	// Against is the path of a database to compare with; empty for none. Somebody may be writing it too.
	Against string
	// Log, when set, is compared with, and not Against.
	Log Log
}

// TableHash is the content of one table.
type TableHash struct {
	Rows int64  `json:"rows"`
	Hash string `json:"hash"` // hexadecimal
}

// Verdict says how a comparison ended.
type Verdict string

// The verdicts. What is damaged was not compared. Of the others the gravest counts: different before loss before behind.
const (
	Sound     Verdict = "sound"     // not damaged; nothing was compared
	Damaged   Verdict = "damaged"   // the file itself
	Equal     Verdict = "equal"     // both hold the same, as far as both can hold it
	Lost      Verdict = "loss"      // the log lost messages of which the database has rows; the rest is equal
	Behind    Verdict = "behind"    // one has not folded as much of the log as the other; what both have folded is equal
	Different Verdict = "different" // they tell different stories
)

// Result is what [Compare] found.
type Result struct {
	Database string               `json:"database"`
	Verdict  Verdict              `json:"verdict"`
	Against  string               `json:"against,omitempty"` // a path, or "the log"; empty when nothing was compared
	Damage   []string             `json:"damage"`            // in SQLite's words: then nothing else was read; or that pages are not as they were written
	Tables   map[string]TableHash `json:"tables"`
	// Equal is whether the verdict is equal; nil when nothing was compared.
	Equal       *bool        `json:"equal,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	// Losses are what the log lost. Retention's trimming is none.
	Losses []Loss `json:"losses,omitempty"`
	// Lag is by how many messages the one is behind the other, where they differ in that, by stream. A negative number says that it
	// is the other that is behind.
	Lag map[string]int64 `json:"behind,omitempty"`
	// NotCompared is set when the log cannot give all that the database holds, or the other way round. Then neither those
	// rows nor what spans them were compared.
	NotCompared *NotCompared `json:"older_than_the_log,omitempty"`
}

// Compare looks for damage in a database, hashes what it holds, and compares that with another database or with the log,
// as cfg says. A database that somebody writes is copied first, into a folder beside it, or in the temporary folder where nothing can be made
// beside it; the folder is gone when Compare returns. It is an error when a database cannot be read, [query.ErrNoDatabase] among them; a difference is none.
func Compare(ctx context.Context, cfg Config) (*Result, error) {
	for _, path := range []string{cfg.Database, cfg.Against} {
		if path == cfg.Against && (path == "" || cfg.Log != nil) {
			continue
		}
		if db, err := query.Open(ctx, path); err != nil { // before anything is made, and before hours of hashing
			return nil, err
		} else if err := db.Close(); err != nil {
			return nil, err
		}
	}
	tmp, err := os.MkdirTemp(filepath.Dir(cfg.Database), ".verify-")
	if errors.Is(err, unix.EROFS) || errors.Is(err, os.ErrPermission) { // a backup, or another user's
		tmp, err = os.MkdirTemp("", "proctape-verify-")
	}
	if err != nil {
		return nil, fmt.Errorf("make a folder for copies: %w", err)
	}
	defer os.RemoveAll(tmp)
	var streams map[string]*query.LogStream
	if cfg.Log != nil { // before the database is copied, which then has what the log has
		if streams, err = cfg.Log.Streams(ctx); err != nil {
			return nil, err
		}
		if err := awaitProjection(ctx, cfg.Database, streams); err != nil {
			return nil, err
		}
	}
	db, err := openUnchanging(ctx, cfg.Database, filepath.Join(tmp, "a.db"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	r := &Result{Database: cfg.Database, Verdict: Damaged, Against: cfg.Against, Tables: map[string]TableHash{}}
	if r.Damage, err = Damage(ctx, db); err != nil || len(r.Damage) > 0 {
		return r, err
	}
	content, err := ReadContent(ctx, db)
	if err != nil {
		return nil, err
	}
	for table, h := range content.Tables() {
		r.Tables[table] = TableHash{h.Rows, h.String()}
	}
	switch r.Verdict = Sound; {
	case cfg.Log != nil:
		err = r.compareLog(ctx, cfg.Log, streams, db, content, filepath.Join(tmp, "replay.db"))
	case cfg.Against != "":
		err = r.compareDatabase(ctx, db, content, filepath.Join(tmp, "b.db"))
	}
	if err == nil && r.Verdict != Different { // which says more
		err = r.addDamagedPages(db.Path())
	}
	return r, err
}

// compareDatabase adds how the database differs from the one that the result names.
func (r *Result) compareDatabase(ctx context.Context, db *query.DB, content Content, copyTo string) error {
	other, err := openUnchanging(ctx, r.Against, copyTo)
	if err != nil {
		return err
	}
	defer other.Close()
	theirs, err := ReadContent(ctx, other)
	if err != nil {
		return err
	}
	r.Differences = content.Diff(theirs)
	if len(r.Differences) > 0 {
		mine, theirs, lag, err := foldedByBoth(ctx, db, other)
		if err != nil {
			return err
		}
		if len(lag) > 0 {
			r.Lag, r.Differences = lag, mine.Diff(theirs)
		}
	}
	r.judge()
	return nil
}

// compareLog adds how the database differs from the log, of which it makes a database at a path.
func (r *Result) compareLog(ctx context.Context, log Log, streams map[string]*query.LogStream, db *query.DB, content Content, path string) error {
	r.Against = "the log"
	checkpoints, err := query.Checkpoints(ctx, db)
	if err != nil {
		return err
	}
	if isAnotherLog(checkpoints, streams) {
		r.Differences = content.Diff(Content{})
		r.judge()
		return nil
	}
	if err := log.Replay(ctx, path, untilOf(checkpoints, streams)); err != nil {
		return err
	}
	other, err := query.Open(ctx, path)
	if err != nil {
		return err
	}
	defer other.Close()
	theirs, err := ReadContent(ctx, other)
	if err != nil {
		return err
	}
	r.Differences = content.Diff(theirs)
	r.Lag = lagOf(checkpoints, streams)
	if r.Losses, err = losses(ctx, db, other, checkpoints, streams); err != nil {
		return err
	}
	if len(r.Differences) > 0 { // the log cannot give what it no longer has
		s := &shared{checkpoints: checkpoints, streams: streams, lost: len(r.Losses) > 0}
		mine, theirs, left, err := s.read(ctx, db, other)
		if err != nil {
			return err
		}
		if s.lost || isTrimmed(streams) || left != (NotCompared{}) {
			r.NotCompared, r.Differences = &left, mine.Diff(theirs)
		}
	}
	atEnds, err := lostAtEnds(ctx, db)
	if err != nil {
		return err
	}
	r.Losses = append(r.Losses, atEnds...)
	r.judge()
	return nil
}

// judge sets the verdict of what was found.
func (r *Result) judge() {
	switch {
	case len(r.Differences) > 0:
		r.Verdict = Different
	case len(r.Losses) > 0:
		r.Verdict = Lost
	case len(r.Lag) > 0:
		r.Verdict = Behind
	default:
		r.Verdict = Equal
	}
	equal := r.Verdict == Equal
	r.Equal = &equal
}

// openUnchanging opens a database that does not change while it is read: the one at path when nobody writes it, and
// else a copy. The caller closes it.
func openUnchanging(ctx context.Context, path, copyTo string) (*query.DB, error) {
	db, err := query.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	if _, written := lockfile.DatabaseOwner(path); !written {
		return db, nil
	}
	defer db.Close()
	if err := db.CopyTo(ctx, copyTo); err != nil {
		return nil, err
	}
	return query.Open(ctx, copyTo)
}

// addDamagedPages adds that pages of the file at path are not as they were written. A copy has no sums that tell.
func (r *Result) addDamagedPages(path string) error {
	var damage *proof.DamageError
	err := proof.CheckFile(path)
	switch {
	case errors.As(err, &damage):
		r.Verdict, r.Equal = Damaged, nil
		r.Damage = append(r.Damage, fmt.Sprintf("pages that are not as they were written: %d, the first is page %d", len(damage.Pages), damage.Pages[0]))
	case err != nil && !errors.Is(err, proof.ErrNoSums):
		return err
	}
	return nil
}

// Damage has SQLite check the whole file. It returns what is wrong, in SQLite's words and at most twenty lines; nothing when
// the file is sound.
func Damage(ctx context.Context, db *query.DB) ([]string, error) {
	rows, err := db.Handle().QueryContext(ctx, `PRAGMA integrity_check(20)`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		if s != "ok" {
			found = append(found, s)
		}
	}
	return found, rows.Err()
}
