// Package verify checks what a database holds: a database goes in, and out come its damage, hashes of its content, and where
// it differs from another database or from what its log says.
package verify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema/lockfile"
)

// Config says what [Compare] reads.
type Config struct {
	// Database is the path of the database to verify. Somebody may be writing it.
	Database string
	// Against is the path of a database to compare with; empty for none. Somebody may be writing it too.
	Against string
	// Replay, when set, is called to make a database of the log at a new path, from each stream's beginning up to the
	// sequence that until has for it, and reports whether the log no longer has its beginning. Compare compares with
	// that database, and not with Against.
	Replay func(ctx context.Context, path string, until map[string]uint64) (trimmed bool, err error)
}

// TableHash is the content of one table.
type TableHash struct {
	Rows int64  `json:"rows"`
	Hash string `json:"hash"` // hexadecimal
}

// Result is what [Compare] found.
type Result struct {
	Database string               `json:"database"`
	Against  string               `json:"against,omitempty"` // a path, or "the log"; empty when nothing was compared
	Damage   []string             `json:"damage"`            // in SQLite's words; when there is any, nothing else was read
	Tables   map[string]TableHash `json:"tables"`
	// Equal is whether the two hold the same; nil when nothing was compared.
	Equal       *bool        `json:"equal,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	// NotCompared is set when the log cannot give all that the database holds, or the other way round. Then neither those
	// rows nor what spans them were compared.
	NotCompared *NotCompared `json:"older_than_the_log,omitempty"`
}

// Compare looks for damage in a database, hashes what it holds, and compares that with another database or with the log,
// as cfg says. A database that somebody writes is copied first, into a folder beside it that is gone when Compare
// returns. It is an error when a database cannot be read, [query.ErrNoDatabase] among them; a difference is none.
func Compare(ctx context.Context, cfg Config) (*Result, error) {
	if db, err := query.Open(ctx, cfg.Database); err != nil { // before anything is made
		return nil, err
	} else if err := db.Close(); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(cfg.Database), ".verify-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for copies: %w", err)
	}
	defer os.RemoveAll(tmp)
	db, err := openUnchanging(ctx, cfg.Database, filepath.Join(tmp, "a.db"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	r := &Result{Database: cfg.Database, Against: cfg.Against, Tables: map[string]TableHash{}}
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
	if cfg.Against == "" && cfg.Replay == nil {
		return r, nil
	}
	return r, r.compare(ctx, cfg, db, content, tmp)
}

// compare adds how the database differs from what cfg names.
func (r *Result) compare(ctx context.Context, cfg Config, db *query.DB, content Content, tmp string) error {
	other, trimmed, err := openComparison(ctx, cfg, db, tmp)
	if err != nil {
		return err
	}
	defer other.Close()
	theirs, err := ReadContent(ctx, other)
	if err != nil {
		return err
	}
	r.Differences = content.Diff(theirs)
	if cfg.Replay != nil {
		r.Against = "the log"
	}
	if cfg.Replay != nil && len(r.Differences) > 0 { // a log that was trimmed cannot give what is older
		mine, theirs, left, err := Shared(ctx, db, other)
		if err != nil {
			return err
		}
		if trimmed || left != (NotCompared{}) {
			r.NotCompared, r.Differences = &left, mine.Diff(theirs)
		}
	}
	equal := len(r.Differences) == 0
	r.Equal = &equal
	return nil
}

// openComparison opens the database to compare with. trimmed is whether it was made of a log that no longer has its
// beginning. The caller closes it.
func openComparison(ctx context.Context, cfg Config, db *query.DB, tmp string) (other *query.DB, trimmed bool, err error) {
	if cfg.Replay == nil {
		other, err = openUnchanging(ctx, cfg.Against, filepath.Join(tmp, "b.db"))
		return other, false, err
	}
	checkpoints, err := query.Checkpoints(ctx, db)
	if err != nil {
		return nil, false, err
	}
	until := map[string]uint64{}
	for _, c := range checkpoints {
		until[c.Stream] = uint64(c.Seq)
	}
	path := filepath.Join(tmp, "replay.db")
	if trimmed, err = cfg.Replay(ctx, path, until); err != nil {
		return nil, false, err
	}
	other, err = query.Open(ctx, path)
	return other, trimmed, err
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
