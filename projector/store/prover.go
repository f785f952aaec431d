package store

import (
	"errors"
	"os"
	"time"

	sqlitelib "modernc.org/sqlite/lib"

	"github.com/proctape/proctape/schema/proof"
)

// prover keeps the sums of the database's pages, and is the only one that has SQLite write the write-ahead log back.
type prover struct {
	*statements
	path    string
	sums    *proof.Sums
	hasSums bool  // of before
	size    int64 // of the database before it was opened
	damaged bool
	// failed is whether the last write failed. Its frames may lie whole in the write-ahead log, where SQLite takes them for committed at
	// the next start and not before. So neither are they noted nor is anything written back until then, or until a write succeeds.
	failed bool
}

// openTime is how long opening a database checks its pages. A database of about a gigabyte is checked whole.
const openTime = 2 * time.Second

// passPages is how many pages are checked at a time where nobody waits: 256 KiB.
const passPages = 64

// openProver opens the sums of the database at path, before SQLite opens it.
func openProver(path string) (*prover, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	p := &prover{path: path, size: info.Size()}
	p.sums, p.hasSums, err = proof.Open(path)
	return p, p.classify(err)
}

// begin writes the write-ahead log back, which mends a page that a power cut has torn, and checks the pages for as long as
// [openTime]. It makes the sums of a database that has none: of one that holds something, SQLite's check is all that tells whether it is
// damaged.
func (p *prover) begin(s *statements) error {
	p.statements = s
	if !p.hasSums {
		if p.size > 0 {
			if err := p.CheckIntegrity(); err != nil {
				return err
			}
		}
		return p.sums.Adopt()
	}
	if _, err := p.TrimWAL(); err != nil {
		return err
	}
	if !p.sums.State().DamageSeen.IsZero() {
		if err := p.sums.CheckAll(); err != nil {
			return p.classify(err)
		}
	}
	for began, ended := time.Now(), false; !ended && time.Since(began) < openTime; {
		var err error
		if ended, err = p.CheckPages(); err != nil {
			return err
		}
	}
	return nil
}

// classify is an error of the sums as one of the store. What SQLite calls corrupt may be a page whose sum tells so.
func (p *prover) classify(err error) error {
	var damage *proof.DamageError
	if p.hasSums && (IsCorrupt(err) || isCode(err, sqlitelib.SQLITE_NOTADB)) {
		if found := p.sums.CheckAll(); errors.As(found, &damage) {
			err = found
		}
	}
	if !errors.As(err, &damage) {
		return err
	}
	p.damaged = true
	return &DamagedError{Path: p.path, Pages: damage.Pages, Verdict: "its write-ahead log lost a part of what is in the database"}
}

// committed notes what was committed, and has it written back when it is much. Where a page was read that is damaged, what was
// committed is not to be believed: that is a *[DamagedError].
func (p *prover) committed() error {
	frames, err := p.sums.Follow()
	if err != nil || frames < walBack {
		return p.classify(err)
	}
	return p.WriteBack()
}

// checkpoint has SQLite write the write-ahead log back, and reports whether readers let it.
func (p *prover) checkpoint(mode string) (done bool, err error) {
	err = p.sums.Checkpoint(func() (frames, written int, err error) {
		var busy int
		err = p.conn.QueryRowContext(background, `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &frames, &written)
		done = busy == 0 && frames == written
		return frames, written, err
	})
	return done, p.classify(err)
}

// WriteBack writes back what was committed, as far as readers let it, so that a pass that begins then proves it.
func (p *prover) WriteBack() error {
	_, err := p.checkpoint("PASSIVE")
	return err
}

// CheckPages checks some pages more, beside the one goroutine that uses the store, and reports whether that was a pass's end. A database that
// is damaged is a *[DamagedError], which names all pages that are.
func (p *prover) CheckPages() (ended bool, err error) {
	ended, err = p.sums.Check(passPages)
	return ended, p.classify(err)
}

// CheckIntegrity runs SQLite's check of the whole file, and returns a *[DamagedError] when the file does not pass it. It
// changes nothing.
func (p *prover) CheckIntegrity() error {
	var verdict string
	if err := p.conn.QueryRowContext(background, `PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		verdict = err.Error()
	}
	if verdict == "ok" {
		return nil
	}
	return &DamagedError{Path: p.path, Verdict: verdict}
}

// SumsMended is whether the head of the sums was damaged. The pages are checked all the same.
func (p *prover) SumsMended() bool { return p.sums.Mended() }

// Proof is what is known of the database's soundness.
func (p *prover) Proof() proof.State { return p.sums.State() }

// WALSize returns the size of the write-ahead log in bytes; 0 when there is none.
func (p *prover) WALSize() int64 {
	info, err := os.Stat(p.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// TrimWAL writes the write-ahead log back into the database and cuts it, if the readers let it within a tenth of a
// second. It reports whether the write-ahead log is short again.
func (p *prover) TrimWAL() (short bool, err error) {
	if _, err := p.conn.ExecContext(background, `PRAGMA busy_timeout=100`); err != nil {
		return false, err
	}
	whole, err := p.checkpoint("FULL")
	if err == nil && whole {
		if err = p.sums.Sync(); err == nil { // that all is in the database is on disk before the write-ahead log is cut
			short, err = p.checkpoint("TRUNCATE")
		}
	}
	if _, restore := p.conn.ExecContext(background, `PRAGMA busy_timeout=5000`); restore != nil {
		return false, restore
	}
	return short, err
}

// end writes the write-ahead log back before the connection is closed, which would do it without the sums.
func (p *prover) end() error {
	if p == nil || p.statements == nil || p.damaged || p.failed {
		return nil
	}
	_, err := p.TrimWAL()
	return err
}

// close closes the sums, after the connection.
func (p *prover) close() error {
	if p == nil {
		return nil
	}
	return p.sums.Close()
}
