package projector

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// kept is a database that a projector writes, with a retention that makes a pass when it is told to.
type kept struct {
	w        *world
	path     string
	p        *Projector
	id       string
	settings retention.Settings
	as       retention.Database // what retention writes goes through it
	read     *sql.DB
	stop     func()
}

func (w *world) open(name string, settings retention.Settings) *kept {
	w.t.Helper()
	settings.Clocks = w.clocks
	d := &kept{w: w, path: filepath.Join(w.dir, name+".db"), settings: settings}
	var err error
	if d.p, err = Open(w.t.Context(), w.js, Config{DB: d.path, Log: d.log()}); err != nil {
		w.t.Fatal(err)
	}
	d.as = database{d.p.first}
	d.p.first.reader.policy = &settings.Policy // without the passes that a retention of its own would make
	d.id = d.as.ID()
	if d.read, err = openReader(d.path); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.p.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the projector of %s: %v", name, err)
		}
		if err := d.read.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(d.stop)
	return d
}

func (d *kept) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(d.w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// settle waits until the database has folded what the log holds.
func (d *kept) settle() {
	d.w.t.Helper()
	ctx, cancel := context.WithTimeout(d.w.t.Context(), 5*time.Minute)
	defer cancel()
	if err := d.as.CatchUp(ctx); err != nil {
		d.w.t.Errorf("the database does not come to the end of the log: %v; it is at %v", err, d.p.Positions())
		for _, name := range schema.DataStreams {
			stream, err := d.w.js.Stream(d.w.t.Context(), name)
			if err != nil {
				d.w.t.Fatal(err)
			}
			for info := range stream.ListConsumers(d.w.t.Context()).Info() {
				d.w.t.Errorf("stream %s %+v, consumer %+v", name, stream.CachedInfo().State, info)
			}
		}
		d.w.t.FailNow()
	}
}

// retain makes a pass.
func (d *kept) retain() schema.Removed {
	d.w.t.Helper()
	removed, err := d.tryRetain()
	if err != nil {
		d.w.t.Fatalf("pass: %v", err)
	}
	return removed
}

func (d *kept) tryRetain() (schema.Removed, error) {
	ctx, cancel := context.WithTimeout(d.w.t.Context(), 5*time.Minute)
	defer cancel()
	r, err := retention.Open(d.config(), d.as)
	if err != nil {
		return schema.Removed{}, err
	}
	defer r.Close()
	pass, err := r.Pass(ctx, "test")
	return pass.Removed, err
}

// plan makes a dry run. It leaves out what cannot be told without doing it: what of the log and of the file goes with
// the rows.
func (d *kept) plan() schema.Removed {
	d.w.t.Helper()
	ctx, cancel := context.WithTimeout(d.w.t.Context(), 5*time.Minute)
	defer cancel()
	removed, err := retention.Plan(ctx, d.config())
	if err != nil {
		d.w.t.Fatal(err)
	}
	return rowsOnly(removed)
}

func (d *kept) config() retention.Config {
	return retention.Config{Path: d.path, Settings: d.settings, JS: d.w.js, Log: d.log()}
}

// pages is how many bytes of the database are in use.
func (d *kept) pages() (used int64, err error) {
	err = d.read.QueryRow(`SELECT (page_count - freelist_count) * page_size FROM pragma_page_size, pragma_page_count, pragma_freelist_count`).Scan(&used)
	return used, err
}

func rowsOnly(r schema.Removed) schema.Removed {
	r.Messages, r.Bytes = 0, 0
	return r
}

// rows returns what a query answers, one row a string.
func (d *kept) rows(query string, args ...any) []string {
	d.w.t.Helper()
	return rowsOf(d.w.t, d.read, query, args...)
}

// count returns a query's one number.
func (d *kept) count(query string, args ...any) (n int64) {
	d.w.t.Helper()
	if err := d.read.QueryRow(query, args...).Scan(&n); err != nil {
		d.w.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func rowsOf(t testing.TB, db *sql.DB, query string, args ...any) (out []string) {
	t.Helper()
	rows, err := db.Query(query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, pointers := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			t.Fatal(err)
		}
		cells := make([]string, len(values))
		for i, v := range values {
			cells[i] = fmt.Sprint(v)
		}
		out = append(out, strings.Join(cells, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// replay folds the log into a new database and ends.
func (w *world) replay(name string) *sql.DB {
	w.t.Helper()
	path := filepath.Join(w.dir, name+".db")
	p, err := Open(w.t.Context(), w.js, Config{DB: path, Once: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := p.Run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	db, err := openReader(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	return db
}

func openReader(path string) (*sql.DB, error) { return sql.Open("sqlite", schema.ReaderDSN(path)) }

// exec breaks the database on purpose.
func (d *kept) exec(query string, args ...any) {
	d.w.t.Helper()
	err := d.as.Write(d.w.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
	if err != nil {
		d.w.t.Fatalf("%s: %v", query, err)
	}
}
