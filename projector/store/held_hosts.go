package store

import (
	"database/sql"
	"fmt"
	"strings"
)

// OtherHostsError says that a database was made for other hosts than those that are asked for. What was passed over is not in it.
type OtherHostsError struct {
	Path  string
	Holds string // patterns with commas in between; empty for all hosts
}

func (e *OtherHostsError) Error() string {
	if e.Holds == "" {
		return fmt.Sprintf("the database %s has all hosts of its log", e.Path)
	}
	return fmt.Sprintf("the database %s has the hosts %s of its log", e.Path, e.Holds)
}

// ClaimHosts notes in a database of which nothing was folded yet that it is of some hosts, and returns those that it is of: nil for all. Patterns
// are those of path.Match. No patterns ask for what the database is of; others than that are an [OtherHostsError].
func ClaimHosts(s *Store, patterns []string) ([]string, error) {
	var holds string
	err := s.Query(`SELECT value FROM meta WHERE key = 'hosts'`, func(rows *sql.Rows) error { return rows.Scan(&holds) })
	if err != nil {
		return nil, err
	}
	folded := false
	err = s.Query(`SELECT 1 FROM checkpoints WHERE seq > 0 LIMIT 1`, func(*sql.Rows) error { folded = true; return nil })
	want := strings.Join(patterns, ",")
	switch {
	case err != nil:
		return nil, err
	case want != "" && want != holds && (folded || holds != ""):
		return nil, &OtherHostsError{s.path, holds}
	case want != "" && want != holds:
		holds = want
		err = s.Write(func(tx *Tx) error {
			_, err := tx.Exec(`INSERT INTO meta(key, value) VALUES ('hosts', ?)`, want)
			return err
		})
	}
	if err != nil || holds == "" {
		return nil, err
	}
	return strings.Split(holds, ","), nil
}
