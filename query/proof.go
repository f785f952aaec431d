package query

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/proctape/proctape/schema/lockfile"
	"github.com/proctape/proctape/schema/proof"
)

// Proven says how far a database is known to be what was written. All times are Unix seconds.
type Proven struct {
	// Until is when the last full check of all pages began that found them sound: what was committed by then was right then. Nil when
	// there was none, and while there is damage that is not mended.
	Until *float64 `json:"proven_until"`
	// LastPass is when that check ended.
	LastPass *float64 `json:"last_full_pass"`
	// DamageSeen is when damage was noticed that is not mended yet; nil when there is none. Damaged is of how many pages.
	DamageSeen *float64 `json:"damage_seen,omitempty"`
	Damaged    int64    `json:"damaged_pages,omitzero"`
}

// checkedAtRest is how many bytes a database at rest may have to be checked whole when it is asked about.
const checkedAtRest = 128 << 20

// Proof returns how far the database is known to be what was written. A database of up to 128 MiB that nobody writes is checked now,
// which takes about a tenth of a second; of others it is what the projector that wrote it noted.
func Proof(db *DB) (Proven, error) {
	state, err := proof.ReadState(db.path)
	if errors.Is(err, proof.ErrNoSums) {
		return Proven{}, nil
	} else if err != nil {
		return Proven{}, fmt.Errorf("read how far the database is proven: %w", err)
	}
	_, written := lockfile.DatabaseOwner(db.path)
	if info, err := os.Stat(db.path); err == nil && !written && info.Size() <= checkedAtRest {
		began, damage := time.Now(), new(proof.DamageError)
		switch err := proof.CheckFile(db.path); {
		case errors.As(err, &damage):
			state.DamageSeen, state.Damaged = began, int64(len(damage.Pages))
		case err != nil:
			return Proven{}, fmt.Errorf("check the pages of the database: %w", err)
		default:
			state = proof.State{ProvenUntil: began, PassEnded: time.Now()}
		}
	}
	return provenOf(state), nil
}

// notedProof is what the projector noted last.
func notedProof(db *DB) Proven {
	state, err := proof.ReadState(db.path)
	if err != nil {
		return Proven{} // not known
	}
	return provenOf(state)
}

func provenOf(state proof.State) Proven {
	p := Proven{Until: unixOrNil(state.ProvenUntil), LastPass: unixOrNil(state.PassEnded), DamageSeen: unixOrNil(state.DamageSeen), Damaged: state.Damaged}
	if p.DamageSeen != nil {
		p.Until = nil
	}
	return p
}

func unixOrNil(t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	s := float64(t.UnixNano()) / 1e9
	return &s
}
