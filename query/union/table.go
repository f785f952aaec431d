package union

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/schema"
)

// table is one of the tables that the databases have.
type table struct {
	name    string
	columns []string
	types   []string
	primary []int // columns of its key
	keys    []key // the first is the primary
	offsets []offset
	lacks   [][]bool // for each database, whether it lacks a column, which is unknown there
	hides   []string // for each database, a condition on its rows; empty for none
}

// key is columns that an index or a table's order finds rows by.
type key struct {
	columns []int
	unique  bool
}

// readTables reads which tables and views a database has.
func readTables(ctx context.Context, db *sql.DB) (tables []*table, views []string, err error) {
	err = schema.EachRow(ctx, db, `SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%' ORDER BY name`, func(r *sql.Rows) error {
		var kind, name, text string
		if err := r.Scan(&kind, &name, &text); err != nil {
			return err
		}
		if kind == "view" {
			views = append(views, text)
		} else {
			tables = append(tables, &table{name: name})
		}
		return nil
	})
	for _, t := range tables {
		if err == nil {
			err = t.readColumns(ctx, db)
		}
		if err == nil {
			err = t.readKeys(ctx, db)
		}
	}
	return tables, views, err
}

func (t *table) readColumns(ctx context.Context, db *sql.DB) error {
	places := map[int]int{} // of a column in the key
	err := schema.EachRow(ctx, db, `SELECT cid, name, type, pk FROM pragma_table_info(?) ORDER BY cid`, func(r *sql.Rows) error {
		var at, place int
		var name, kind string
		if err := r.Scan(&at, &name, &kind, &place); err != nil {
			return err
		}
		t.columns, t.types, t.offsets = append(t.columns, name), append(t.types, kind), append(t.offsets, offsetOf(t.name, name))
		if place > 0 {
			places[place] = at
		}
		return nil
	}, t.name)
	for i := range len(places) {
		t.primary = append(t.primary, places[i+1])
	}
	t.keys = append(t.keys, key{t.primary, true})
	return err
}

func (t *table) readKeys(ctx context.Context, db *sql.DB) error {
	unique := map[string]*key{}
	var names []string
	err := schema.EachRow(ctx, db, `SELECT l.name, l."unique", i.cid FROM pragma_index_list(?) l, pragma_index_info(l.name) i WHERE l.origin <> 'pk' ORDER BY l.name, i.seqno`, func(r *sql.Rows) error {
		var name string
		var k key
		var at int
		if err := r.Scan(&name, &k.unique, &at); err != nil {
			return err
		}
		if unique[name] == nil {
			unique[name] = &k
			names = append(names, name)
		}
		unique[name].columns = append(unique[name].columns, at)
		return nil
	}, t.name)
	for _, name := range names {
		t.keys = append(t.keys, *unique[name])
	}
	return err
}

func (t *table) column(name string) int { return slices.Index(t.columns, name) }

// declaration is how the table is made.
func (t *table) declaration() string {
	var parts []string
	for i, name := range t.columns {
		parts = append(parts, `"`+name+`" `+t.types[i])
	}
	return fmt.Sprintf("CREATE TABLE %s(%s)", t.name, strings.Join(parts, ", "))
}

// rows is about how many rows the table has, for SQLite's planner: only how they compare counts.
func (t *table) rows() float64 {
	switch t.name {
	case "samples", "process_rollups":
		return 4e6
	case "hosts", "rosters", "meta", "checkpoints", "files":
		return 100
	}
	return 2e5
}
