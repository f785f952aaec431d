package bundle

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// Question says what goes into a bundle: a run of a job, or a time.
type Question struct {
	Job   query.JobFilter // with an empty name: a time
	Run   string          // of the job, by number or id; empty for the newest
	Range query.Range     // Since, Until and Host; of a job it says nothing
	// Key makes the tokens that replace command lines; with nil they stay. The same key makes the same tokens in every bundle.
	Key []byte
	By  string // version of the program
	Now time.Time
}

// How many seconds around a run are taken: who had the memory before a death, and what a run left behind.
const (
	before = 120
	behind = 60
)

// Made is a bundle that was made.
type Made struct {
	Manifest
	Sum  string // of the manifest: it names what is in the bundle, to the last bit
	Size int64  // bytes of the file
}

// Make makes a new file at path of what a question asks for. It is an error when the file exists; then, and when it fails, nothing is left behind.
// A job or run that is not recorded is an error of package query.
func Make(ctx context.Context, db *query.DB, q Question, path string) (made *Made, err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, errors.Join(fs.ErrExist, err))
	}
	m := &Manifest{Version: version, Made: float64(q.Now.UnixNano()) / 1e9, By: q.By, Tokens: q.Key != nil}
	p, err := partOf(ctx, db, &q, m)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(filepath.Dir(path), ".bundle-") // 0700: the texts that tokens replace are in it for a while
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	whole := filepath.Join(work, "whole.db")
	sum, err := p.make(ctx, db, filepath.Join(work, "part.db"), whole, m, q.Key)
	if err != nil {
		return nil, fmt.Errorf("make the bundle: %w", err)
	}
	return finish(whole, path, &Made{Manifest: *m, Sum: sum})
}

// finish syncs the file, and gives it its name. Another file that has the name by now stays.
func finish(whole, path string, made *Made) (*Made, error) {
	f, err := os.OpenFile(whole, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	made.Size = info.Size()
	if err := os.Link(whole, path); err != nil {
		return nil, err
	}
	return made, nil
}

// partOf is what a question asks for.
func partOf(ctx context.Context, db *query.DB, q *Question, m *Manifest) (*part, error) {
	p := &part{from: q.Range.Since, to: q.Range.Until, job: q.Job.Name}
	now := float64(q.Now.UnixNano()) / 1e9
	if p.to == 0 {
		p.to = now
	}
	var hosts []string
	if q.Range.Host != "" {
		hosts = []string{q.Range.Host}
	}
	m.From, m.To = p.from, p.to
	var err error
	if q.Job.Name != "" {
		if hosts, err = ofRun(ctx, db, q, m); err != nil {
			return nil, err
		}
		p.from, p.to = m.From-before, m.To+behind
	}
	if m.Coverage, err = query.HostCoverage(ctx, db, query.Range{Since: m.From, Until: min(m.To, now), Host: q.Range.Host}); err != nil {
		return nil, err
	}
	if q.Job.Name != "" {
		m.Coverage = slices.DeleteFunc(m.Coverage, func(c query.Coverage) bool { return !slices.Contains(hosts, c.Host) })
	}
	if m.Database, err = db.ID(ctx); err != nil {
		return nil, err
	}
	p.hosts, err = idsOf(ctx, db, hosts)
	return p, err
}

// ofRun notes in the manifest which run is meant, and when it was, and returns the hosts that it was on. A job without declared runs is all of it.
func ofRun(ctx context.Context, db *query.DB, q *Question, m *Manifest) (hosts []string, err error) {
	scopes, err := query.JobScopes(ctx, db, q.Job)
	if err != nil {
		return nil, err
	}
	for _, s := range scopes {
		hosts = append(hosts, s.Hosts...)
	}
	m.Job = q.Job.Name
	run, err := runOf(ctx, db, q)
	if err != nil {
		return nil, err
	}
	if run == nil {
		extents, err := query.JobExtents(ctx, db, q.Job)
		if err != nil {
			return nil, err
		}
		of, err := query.NewestExtent(q.Job, extents)
		if err == nil && of != nil {
			m.From, m.To = of.From, of.To
		}
		return hosts, err
	}
	m.Run, m.RunID, m.From, m.To = run.Number, run.ID, run.Started, m.Made
	if run.Ended != nil {
		m.To = *run.Ended
	}
	if run.Host != "" {
		hosts = []string{run.Host}
	}
	return hosts, nil
}

// runOf is the run that is asked for; nil where the job has no declared run.
func runOf(ctx context.Context, db *query.DB, q *Question) (*query.Run, error) {
	if q.Run != "" {
		return query.FindRun(ctx, db, q.Job, q.Run)
	}
	runs, err := query.Runs(ctx, db, q.Job)
	if err != nil {
		return nil, err
	}
	return query.NewestRun(q.Job, runs, func(*query.Run) bool { return true })
}

// idsOf are the ids of hosts, and of the fleet; of all when none is named.
func idsOf(ctx context.Context, db *query.DB, names []string) (ids []int64, err error) {
	rows, err := db.Handle().QueryContext(ctx, `SELECT id, name FROM hosts`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		if len(names) == 0 || name == schema.Fleet || slices.Contains(names, name) {
			ids = append(ids, id)
		}
	}
	return ids, rows.Err()
}

// make copies the part into a new database, replaces what is to be replaced, and writes it, without a trace of that, into another.
func (p *part) make(ctx context.Context, source *query.DB, file, whole string, m *Manifest, key []byte) (sum string, err error) {
	db, err := sql.Open("sqlite", schema.NewDSN(file))
	if err != nil {
		return "", err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := schema.Migrate(ctx, conn); err != nil {
		return "", err
	}
	if source.Path() == "" {
		err = p.fetch(ctx, conn, source.Handle())
	} else {
		err = p.copyFrom(ctx, conn, source.Path())
	}
	if err == nil {
		err = p.clip(ctx, conn)
	}
	if err != nil {
		return "", err
	}
	if key != nil {
		if err := (&tokens{key}).replace(ctx, conn); err != nil {
			return "", err
		}
	}
	if m.Tables, m.Layout, err = sums(ctx, conn); err != nil {
		return "", err
	}
	if sum, err = m.write(ctx, conn); err != nil {
		return "", err
	}
	_, err = conn.ExecContext(ctx, `VACUUM INTO ?`, whole)
	return sum, err
}

// copyFrom copies the part of one moment of a database, which somebody may be writing.
func (p *part) copyFrom(ctx context.Context, conn *sql.Conn, source string) error {
	dsn, ok := schema.UnwritableDSN(source)
	if !ok {
		dsn = schema.ReaderDSN(source)
	}
	if _, err := conn.ExecContext(ctx, `ATTACH ? AS source`, dsn); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := p.copyRows(ctx, conn); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `DETACH source`)
	return err
}
