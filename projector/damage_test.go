package projector_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/producer/simulate"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/verify"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/proof"
)

// tapedLog is a log of simulated hosts.
type tapedLog struct {
	js jetstream.JetStream
}

func newTapedLog(t *testing.T, minutes int) *tapedLog {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	a, err := embeddednats.Attach(t.Context(), embeddednats.Config{Dir: t.TempDir(), Log: quiet}, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	js, err := jetstream.New(a.Conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := embeddednats.Declare(t.Context(), js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		t.Fatal(err)
	}
	load := simulate.Load{Fleet: simulate.Config{Hosts: 2, Processes: 40, Interval: 5 * time.Second, Churn: 2, Jobs: 3, Seed: 1},
		Duration: time.Duration(minutes) * time.Minute, Fast: true, Log: quiet}
	if _, err := simulate.Run(t.Context(), a.Conn, load); err != nil {
		t.Fatal(err)
	}
	return &tapedLog{js}
}

// Streams implements [verify.Log].
func (l *tapedLog) Streams(ctx context.Context) (map[string]*query.LogStream, error) {
	return query.LogStreams(ctx, l.js)
}

// Replay implements [verify.Log].
func (l *tapedLog) Replay(ctx context.Context, path string, until map[string]uint64) error {
	_, err := projector.Replay(ctx, l.js, projector.ReplayConfig{DB: path, UntilSequence: until, LackStreams: true, Log: slog.New(slog.DiscardHandler)})
	return err
}

// words is what a projector said.
type words struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// project runs a projector until it has folded the whole log, has then do something beside it, and stops it. It returns what was
// said.
func (l *tapedLog) project(t *testing.T, db string, then func()) string {
	t.Helper()
	said := new(words)
	l.projectAs(t, projector.Config{DB: db}, said, then)
	return said.String()
}

// projectAs projects as a configuration says.
func (l *tapedLog) projectAs(t *testing.T, cfg projector.Config, said *words, then func()) {
	t.Helper()
	cfg.NDJSON, cfg.Log = filepath.Dir(cfg.DB), slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p, err := projector.Open(t.Context(), l.js, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for deadline := time.Now().Add(5 * time.Minute); !isFolded(p); time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-done:
			t.Fatalf("it ended: %v\n%s", err, said)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not come to the end: %s", said)
		}
	}
	if then != nil {
		then()
	}
	stop()
	if err := <-done; err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
}

func isFolded(p *projector.Projector) bool {
	positions := p.Positions()
	for _, at := range positions {
		if at.Folded < at.Last {
			return false
		}
	}
	return len(positions) > 0
}

// copyDatabase copies a database with what is beside it, as a kill would leave it.
func copyDatabase(t *testing.T, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-sums"} {
		b, err := os.ReadFile(from + suffix)
		if os.IsNotExist(err) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(from), "*.jsonl*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if err := copyFile(path, filepath.Join(filepath.Dir(to), filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// flip turns a random bit of a file, and returns where.
func flip(t *testing.T, path string, rng *rand.Rand) string {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	at, bit := rng.Int64N(info.Size()), byte(1)<<rng.IntN(8)
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= bit
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("byte %d of %d (page %d), bit %#x", at, info.Size(), at/4096+1, bit)
}

func gapsOf(t *testing.T, path string, kind schema.GapKind) (n, lost int64) {
	t.Helper()
	db, err := sql.Open("sqlite", schema.ReaderDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT count(*), coalesce(sum(count IS NULL OR count > 0), 0) FROM gaps WHERE kind = ?`, kind).Scan(&n, &lost); err != nil {
		t.Fatal(err)
	}
	return n, lost
}

// TestDatabaseDamage_OneBit turns one bit of a database, at rest or as a kill left it, of its sums or of its write-ahead log. Every one
// that changes anything is noticed, and the database is made anew, with nothing lost.
func TestDatabaseDamage_OneBit(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	l := newTapedLog(t, 1)
	live := filepath.Join(t.TempDir(), "monitor.db")
	killed := filepath.Join(t.TempDir(), "monitor.db")
	l.project(t, live, func() { copyDatabase(t, live, killed) })
	trials := 5 // each of the files
	if os.Getenv("PROCTAPE_SOAK") != "" {
		trials = 150
	}
	damaged, silentWithoutSums := 0, 0
	for _, start := range []struct{ name, db string }{{"after a stop", live}, {"after a kill", killed}} {
		for i := range trials {
			rng := rand.New(rand.NewPCG(uint64(i), uint64(len(start.db))))
			db := filepath.Join(t.TempDir(), "monitor.db")
			copyDatabase(t, start.db, db)
			suffix := []string{"", "", "", "-sums", "-wal"}[i%5] // a copy after a stop has no write-ahead log
			if info, err := os.Stat(db + suffix); err != nil || info.Size() == 0 {
				suffix = ""
			}
			where := suffix + " " + flip(t, db+suffix, rng)
			said := l.project(t, db, nil)
			r, err := verify.Compare(t.Context(), verify.Config{Database: db, Against: live})
			if err != nil {
				t.Fatal(err)
			}
			noticed, lost := gapsOf(t, db, schema.GapDatabaseDamaged)
			anew := strings.Contains(said, "is damaged and is made anew") && strings.Contains(said, "the database is made anew")
			if anew {
				damaged++
			}
			if noticed > 1 || anew != (noticed == 1) || lost > 0 {
				t.Errorf("%s, %s: %d gaps, %d of them a loss; said:\n%s", start.name, where, noticed, lost, said)
			}
			if different := differences(r); len(different) > 0 {
				t.Errorf("%s, %s: another database, in %v; said:\n%s", start.name, where, different, said)
			}
			if i < 3 && l.isSilentWithoutSums(t, start.db, db) {
				silentWithoutSums++
			}
		}
	}
	// What nothing reads any more needs no mending: a page that the write-ahead log has, or a sum that a page had before.
	if 3*damaged < 2*trials {
		t.Errorf("of %d flips %d were noticed", 2*trials, damaged)
	}
	if silentWithoutSums == 0 {
		t.Error("a database without sums has every bit noticed too: this test catches nothing")
	}
	t.Logf("%d flips, %d databases made anew; of 6 without sums %d were not noticed", 2*trials, damaged, silentWithoutSums)
}

// differences are the tables in which a database is not equal to another one, but for the gap that says that it was damaged.
func differences(r *verify.Result) (tables []string) {
	for _, d := range r.Differences {
		if d.Table != "gaps" {
			tables = append(tables, d.Table)
		}
	}
	return tables
}

// isSilentWithoutSums is the control: it turns a bit of a database that has lost its sums, and reports whether nobody notices.
func (l *tapedLog) isSilentWithoutSums(t *testing.T, from, db string) bool {
	t.Helper()
	copyDatabase(t, from, db)
	flip(t, db, rand.New(rand.NewPCG(1, uint64(len(db)))))
	if err := os.Remove(proof.Path(db)); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(db)
	if err != nil {
		return false
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	return true
}

// TestDatabaseDamage_ExchangeCutOff cuts off the exchange of a damaged database for the new one at each of its steps: the next start
// goes on with it, and the damage is told once.
func TestDatabaseDamage_ExchangeCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	l := newTapedLog(t, 1)
	live := filepath.Join(t.TempDir(), "monitor.db")
	killed := filepath.Join(t.TempDir(), "monitor.db")
	l.project(t, live, func() { copyDatabase(t, live, killed) })
	for step := range 4 {
		db := filepath.Join(t.TempDir(), "monitor.db")
		copyDatabase(t, killed, db)
		copyDatabase(t, live, db+".whole")
		s, err := store.Open(db + ".whole")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Inherit("", `{"damage":"a page"}`), s.Close()); err != nil {
			t.Fatal(err)
		}
		for _, done := range []func() error{
			func() error { return os.Rename(db+"-wal", db+"-moved") },
			func() error { return os.Rename(proof.Path(db+".whole"), proof.Path(db)) },
			func() error { return os.Rename(db+".whole", db) },
		}[:step] {
			if err := done(); err != nil {
				t.Fatal(err)
			}
		}
		for start := range 2 {
			said := l.project(t, db, nil)
			if told, _ := gapsOf(t, db, schema.GapDatabaseDamaged); told != 1 || strings.Contains(said, "damaged and is made anew") {
				t.Errorf("step %d, start %d: told %d times, said:\n%s", step, start, told, said)
			}
		}
		r, err := verify.Compare(t.Context(), verify.Config{Database: db, Against: live})
		if err != nil {
			t.Fatal(err)
		}
		if different := differences(r); r.Verdict == verify.Damaged || len(different) > 0 {
			t.Errorf("step %d: %s, another database, in %v", step, r.Verdict, different)
		}
	}
}
