package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"modernc.org/sqlite"

	"github.com/proctape/proctape/schema"
)

// Remains is what a damaged database can still give.
type Remains struct {
	ID          string   // of the database; empty when it cannot be read
	Hosts       []string // that the database is of; nil for all, and where that cannot be read
	Checkpoints []Checkpoint
	hit         map[string]bool // tables and indexes, and whether a page of them is damaged; nil when that is not known
	path        string
}

// ReadRemains reads what the database at path can still give, whose pages (from 1) are damaged; nil when it is not known which.
func ReadRemains(path string, pages []uint32) Remains {
	r := Remains{path: path}
	db := sql.OpenDB(connector{new(sqlite.Driver), schema.ReaderDSN(path)})
	defer db.Close()
	one, err := db.Conn(background)
	if err != nil {
		return r
	}
	conn := newStatements(one)
	defer conn.close()
	// What follows may fail anywhere: then less is left.
	_ = conn.Query(`SELECT value FROM meta WHERE key = 'database_id'`, func(rows *sql.Rows) error { return rows.Scan(&r.ID) })
	var hosts string
	if _ = conn.Query(`SELECT value FROM meta WHERE key = 'hosts'`, func(rows *sql.Rows) error { return rows.Scan(&hosts) }); hosts != "" {
		r.Hosts = strings.Split(hosts, ",")
	}
	hit := map[string]bool{}
	err = conn.Query(`SELECT name, pageno FROM dbstat`, func(rows *sql.Rows) error {
		var name string
		var page uint32
		err := rows.Scan(&name, &page)
		_, found := slices.BinarySearch(pages, page)
		hit[name] = hit[name] || found
		return err
	})
	if err != nil || len(pages) == 0 || pages[0] == 1 || hit["sqlite_schema"] {
		return r
	}
	r.hit = hit
	if hit["checkpoints"] {
		return r
	}
	for _, name := range schema.DataStreams {
		if c, found, err := (Tables{conn}).Checkpoint(name); err == nil && found {
			r.Checkpoints = append(r.Checkpoints, *c)
		}
	}
	return r
}

// Begin has a new database go on with the row ids of the damaged one: its streams are read from their beginning.
func (r Remains) Begin(s *Store) error {
	return s.Write(func(tx *Tx) error {
		from := slices.Clone(r.Checkpoints)
		for i := range from {
			from[i].Seq, from[i].Stored, from[i].Process = 0, 0, 0
		}
		return writeCheckpoints(tx, from)
	})
}

// The tables of which rows name each other by ids that a new fold gives otherwise: they are taken over together, or not.
var together = [][]string{
	{"snapshots", "samples", "processes", "rosters", "boots"},
	{"rollups", "process_rollups", "rollup_processes"},
	{"jobs", "job_sheets", "job_pids", "job_syscalls"},
}

// ownTables are taken over from no other database: they say what this one is, and how far it is.
var ownTables = []string{"meta", "checkpoints"}

// Left are tables of a new database that were not taken over: they are as the log gives them.
type Left struct {
	Tables []string
	Rows   schema.Opt[int64] // that they have less than in the damaged database; unknown when those cannot be counted
}

// AllTables stands in [Left] for all tables.
const AllTables = "all"

// TakeOver has a new database take over the tables that are not damaged, in the place of what was folded anew from a log that
// no longer has its beginning. all is false when only that is taken over which no log gives. It returns the tables that are as the
// log gives them instead.
func (r Remains) TakeOver(s *Store, all bool) (left []Left, err error) {
	if r.hit == nil {
		if all {
			left = []Left{{Tables: []string{AllTables}}}
		}
		return left, nil
	}
	if _, err := s.conn.ExecContext(background, `ATTACH ? AS remains`, schema.ReaderDSN(r.path)); err != nil {
		return nil, fmt.Errorf("attach the damaged database: %w", err)
	}
	defer s.conn.ExecContext(background, `DETACH remains`)
	groups := [][]string{{"files"}}
	if all {
		if groups, err = s.tableGroups(); err != nil {
			return nil, err
		}
	}
	for _, group := range groups {
		taken, err := r.takeOver(s, group)
		if err != nil {
			return nil, err
		}
		if !taken && all { // otherwise it is the files, which are made anew
			left = append(left, Left{group, r.lostRows(s, group)})
		}
	}
	return left, nil
}

// takeOver has a database take over tables, and reports whether they could be read.
func (r Remains) takeOver(s *Store, tables []string) (taken bool, err error) {
	if slices.ContainsFunc(tables, func(table string) bool { return r.hit[table] }) {
		return false, nil
	}
	err = s.Write(func(tx *Tx) error { return takeTables(tx, tables) })
	if damage := new(DamagedError); errors.As(err, &damage) {
		return false, err
	}
	taken = err == nil
	_, err = s.TrimWAL()
	return taken, err
}

// lostRows is how many rows less tables have than in the damaged database.
func (r Remains) lostRows(s *Store, tables []string) (lost schema.Opt[int64]) {
	for _, table := range tables {
		before, known := r.rows(s, table)
		var now int64
		if !known || s.Query(`SELECT count(*) FROM main.`+table, func(rows *sql.Rows) error { return rows.Scan(&now) }) != nil {
			return schema.Opt[int64]{}
		}
		lost.V += max(0, before-now)
	}
	return schema.Opt[int64]{V: lost.V, Known: lost.V > 0} // as many rows may hold less
}

// rows counts the rows of a table of the damaged database: in the table, or in an index of it, whichever is not damaged.
func (r Remains) rows(s *Store, table string) (n int64, known bool) {
	by := []string{}
	if !r.hit[table] {
		by = append(by, "NOT INDEXED")
	}
	err := s.Query(`SELECT name FROM pragma_index_list(?) WHERE NOT partial`, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		if hit, own := r.hit[name]; own && !hit {
			by = append(by, "INDEXED BY "+name)
		}
		return err
	}, table)
	for _, how := range by {
		if err == nil && s.Query(`SELECT count(*) FROM remains.`+table+` `+how, func(rows *sql.Rows) error { return rows.Scan(&n) }) == nil {
			return n, true
		}
	}
	return 0, false
}

// takeTables replaces the rows of tables by those of the attached database.
func takeTables(tx *Tx, tables []string) error {
	for _, table := range tables {
		var columns []string
		if err := tx.Query(`SELECT name FROM pragma_table_info(?)`, func(rows *sql.Rows) error {
			var name string
			err := rows.Scan(&name)
			columns = append(columns, name)
			return err
		}, table); err != nil {
			return err
		}
		list := strings.Join(columns, ", ")
		for _, query := range []string{`DELETE FROM main.` + table,
			`INSERT INTO main.` + table + `(` + list + `) SELECT ` + list + ` FROM remains.` + table + ` NOT INDEXED`} {
			if _, err := tx.Exec(query); err != nil {
				return fmt.Errorf("take over %s: %w", table, err)
			}
		}
	}
	return nil
}

// tableGroups are the tables that are taken over, those together that must be.
func (p *prover) tableGroups() ([][]string, error) {
	groups := slices.Clone(together)
	err := p.Query(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		grouped := slices.ContainsFunc(together, func(group []string) bool { return slices.Contains(group, name) })
		if !grouped && !slices.Contains(ownTables, name) {
			groups = append(groups, []string{name})
		}
		return err
	})
	return groups, err
}

// Inherit gives the database the id of the one in whose place it comes, and a note for the next who opens it; empty ones are left
// as they are.
func (s *Store) Inherit(id, note string) error {
	return s.Write(func(tx *Tx) error {
		for key, value := range map[string]string{"database_id": id, "rebuilt": note} {
			if value == "" {
				continue
			}
			if _, err := tx.Exec(`INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value`, key, value); err != nil {
				return err
			}
		}
		return nil
	})
}

// Note returns what [Store.Inherit] noted, until a batch tells it.
func (p *prover) Note() (note string, err error) {
	err = p.Query(`SELECT value FROM meta WHERE key = 'rebuilt'`, func(rows *sql.Rows) error { return rows.Scan(&note) })
	return note, err
}

// dropNote deletes the note when it is told.
func dropNote(tx *Tx, told bool) error {
	if !told {
		return nil
	}
	_, err := tx.Exec(`DELETE FROM meta WHERE key = 'rebuilt'`)
	return err
}
