package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/union"
)

// dbFlag is the flag that names a database, or several that a command that reads answers from as one. Completion sets it again to what it is.
type dbFlag struct{ s *settings }

// String is the text as it was given.
func (f dbFlag) String() string {
	if f.s == nil {
		return ""
	}
	return strings.Join(f.s.dbs, ",")
}

// Type is what help and errors call it.
func (f dbFlag) Type() string { return "string" }

// Set takes one more.
func (f dbFlag) Set(path string) error {
	if !slices.Contains(f.s.dbs, path) {
		f.s.dbs = append(f.s.dbs, path)
	}
	f.s.db = f.s.dbs[0]
	return nil
}

// explainSeveral adds to an error of putting databases together what to do about it.
func explainSeveral(err error) error {
	switch {
	case errors.As(err, new(*union.HostError)):
		return hinted(err, "name databases of different hosts; one that has all hosts of the others is enough")
	case errors.As(err, new(*union.VersionError)):
		return hinted(err, "a recorder or projector of this build that goes on with the older one brings it up to the other's tables")
	case errors.As(err, new(*union.JobError)):
		return hinted(err, "ask each database by itself")
	}
	return err
}

// openHere opens the database, or the databases, of this machine.
func openHere(ctx context.Context, s *settings) (*query.DB, error) {
	if len(s.dbs) < 2 {
		return query.Open(ctx, s.db)
	}
	db, err := query.OpenSeveral(ctx, s.dbs)
	return db, explainSeveral(err)
}
