package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

// openDatabase opens the database for reading.
func (s *settings) openDatabase(cmd *cobra.Command) (*query.DB, error) {
	db, err := openRecording(cmd.Context(), s)
	if err != nil {
		return nil, explainRead(err, s)
	}
	if p, err := query.Proof(db); err == nil && p.DamageSeen != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: warning: the database is damaged, in %d pages: answers may be wrong; a recorder that starts on it, or runs on it, makes it anew from the log\n", p.Damaged)
	}
	for _, part := range db.Parts() {
		if hosts, err := part.HostsHeld(cmd.Context()); err == nil && hosts != "" {
			which := "the database"
			if len(db.Parts()) > 1 {
				which += " " + printable(part.Path())
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: %s has the hosts %s of its log, and no other\n", which, printable(hosts))
		}
	}
	return db, nil
}

// withDatabase calls f with the database open.
func (s *settings) withDatabase(cmd *cobra.Command, f func(*query.DB) error) error {
	db, err := s.openDatabase(cmd)
	if err != nil {
		return err
	}
	defer db.Close()
	return explainRead(f(db), s)
}

// checkDatabase reports what keeps the database from being read, before anything is made.
func (s *settings) checkDatabase(cmd *cobra.Command) error {
	db, err := s.openDatabase(cmd)
	if err != nil {
		return err
	}
	return db.Close()
}
