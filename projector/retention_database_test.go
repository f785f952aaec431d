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

	"github.com/proctape/proctape/schema"
)

// database is one that a projector writes, with a retention that passes when it is told to.
type database struct {
	w    *world
	path string
	p    *Projector
	r    *retention
	stop func()
}

func (w *world) open(name string, cfg Retention) *database {
	w.t.Helper()
	d := &database{w: w, path: filepath.Join(w.dir, name+".db")}
	quiet := slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	if d.p, err = Open(w.t.Context(), w.js, Config{DB: d.path, Log: quiet}); err != nil {
		w.t.Fatal(err)
	}
	s := d.p.first
	if d.r, err = newRetention(w.js, Config{DB: d.path, Retention: &cfg, Log: quiet, now: w.clocks}); err != nil {
		w.t.Fatal(err)
	}
	d.r.s, d.r.id = s, s.fold.db.id
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.p.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the projector of %s: %v", name, err)
		}
		if err := d.r.db.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(d.stop)
	return d
}

// settle waits until the database has folded what the log holds.
func (d *database) settle() {
	d.w.t.Helper()
	ctx, cancel := context.WithTimeout(d.w.t.Context(), time.Minute)
	defer cancel()
	if err := d.r.waitFolded(ctx, nil); err != nil {
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
func (d *database) retain() Removed {
	d.w.t.Helper()
	removed, err := d.tryRetain()
	if err != nil {
		d.w.t.Fatalf("pass: %v", err)
	}
	return removed
}

func (d *database) tryRetain() (Removed, error) {
	ctx, cancel := context.WithTimeout(d.w.t.Context(), time.Minute)
	defer cancel()
	pass, err := d.r.pass(ctx, "test")
	return pass.Removed, err
}

// plan makes a dry run. It leaves out what cannot be told without doing it: what of the log and of the file goes with
// the rows.
func (d *database) plan() Removed {
	d.w.t.Helper()
	ctx, cancel := context.WithTimeout(d.w.t.Context(), 20*time.Second)
	defer cancel()
	cfg := d.r.cfg
	removed, err := PlanRetention(ctx, d.w.js, Config{DB: d.path, Retention: &cfg, now: d.w.clocks,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		d.w.t.Fatal(err)
	}
	return rowsOnly(removed)
}

func rowsOnly(r Removed) Removed {
	r.Messages, r.Bytes = 0, 0
	return r
}

// rows returns what a query answers, one row a string.
func (d *database) rows(query string, args ...any) []string {
	d.w.t.Helper()
	return rowsOf(d.w.t, d.r.db, query, args...)
}

// count returns a query's one number.
func (d *database) count(query string, args ...any) (n int64) {
	d.w.t.Helper()
	if err := d.r.db.QueryRow(query, args...).Scan(&n); err != nil {
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
func (d *database) exec(query string, args ...any) {
	d.w.t.Helper()
	err := d.r.write(d.w.t.Context(), func(f *fold) error {
		_, err := f.db.exec(query, args...)
		return err
	})
	if err != nil {
		d.w.t.Fatalf("%s: %v", query, err)
	}
}
