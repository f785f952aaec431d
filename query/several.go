package query

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/proctape/proctape/query/union"
)

// OpenSeveral opens the databases at paths as one, which every function of this library reads: their hosts, jobs and rows together. A host may be in
// one of them only; the error is a [*union.HostError], [*union.JobError] or [*union.VersionError] where they cannot be one, and otherwise
// as of [Open]. What several statements of a function read need not be of one moment. One file that is named twice counts once.
func OpenSeveral(ctx context.Context, paths []string) (*DB, error) {
	var parts []*DB
	var members []union.Member
	closeAll := func(err error) error {
		for _, p := range parts {
			err = errors.Join(err, p.Close())
		}
		return err
	}
	for _, path := range paths {
		part, err := Open(ctx, path)
		if err != nil {
			return nil, closeAll(err)
		}
		if slices.ContainsFunc(parts, func(p *DB) bool { return sameFile(p.path, part.path) }) {
			if err := part.Close(); err != nil {
				return nil, closeAll(err)
			}
			continue
		}
		parts = append(parts, part)
		members = append(members, union.Member{Name: part.path, Open: connector(part.path)})
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	of, err := union.Open(ctx, members)
	if err != nil {
		return nil, closeAll(err)
	}
	d := &DB{parts: parts}
	if err := d.connect(ctx, of); err != nil {
		return nil, closeAll(err)
	}
	return d, nil
}

func sameFile(a, b string) bool {
	one, err1 := os.Stat(a)
	other, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(one, other)
}

// Parts are the databases that answer as this one: several, or itself. They are closed with it.
func (d *DB) Parts() []*DB {
	if d.parts == nil {
		return []*DB{d}
	}
	return d.parts
}

// provenTogether is how far several databases are known to be what was written: as far as the least, with the damage of all.
func provenTogether(parts []*DB, of func(*DB) (Proven, error)) (Proven, error) {
	var all Proven
	for i, part := range parts {
		p, err := of(part)
		if err != nil {
			return Proven{}, err
		}
		if i == 0 {
			all = p
			continue
		}
		all.Until, all.LastPass, all.Damaged = least(all.Until, p.Until), least(all.LastPass, p.LastPass), all.Damaged+p.Damaged
		if all.DamageSeen == nil {
			all.DamageSeen = p.DamageSeen
		}
	}
	return all, nil
}

// least is the smaller one; nil, which is not known, is less than any.
func least(a, b *float64) *float64 {
	if a == nil || b != nil && *a <= *b {
		return a
	}
	return b
}
