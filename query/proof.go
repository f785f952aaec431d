package query

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/proctape/proctape/schema/lockfile"
	"github.com/proctape/proctape/schema/proof"
)

// checkedAtRest is how many bytes a database at rest may have to be checked whole when it is asked about.
const checkedAtRest = 128 << 20

// Proof returns how far the database is known to be what was written. A database of up to 128 MiB that nobody writes is checked now,
// which takes about a tenth of a second; of others it is what the projector that wrote it noted.
func Proof(db *DB) (Proven, error) {
	if db.elsewhere != nil {
		now, _, err := db.elsewhere.Proof(context.Background())
		return now, err
	}
	if db.parts != nil {
		return provenTogether(db.parts, Proof)
	}
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

// NotedProof is what the projector noted last: nothing is checked.
func NotedProof(db *DB) Proven {
	if db.elsewhere != nil {
		_, noted, err := db.elsewhere.Proof(context.Background())
		if err != nil {
			return Proven{} // not known
		}
		return noted
	}
	if db.parts != nil {
		p, _ := provenTogether(db.parts, func(part *DB) (Proven, error) { return NotedProof(part), nil })
		return p
	}
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
