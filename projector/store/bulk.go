package store

import (
	"database/sql"
	"errors"

	"modernc.org/sqlite"
	"modernc.org/sqlite/vtab"
)

// bulkTable hands rows to SQLite as a virtual table, so that one statement writes them all, without a bind, a step and
// a reset for each row (docs/performance.md). It is its own module, table and cursor: there is one writer, and it reads
// the rows once, from first to last.
type bulkTable struct {
	name    string                           // of the table, in the schema temp
	columns string                           // names, with commas
	rows    int                              // how many there are
	value   func(row, column int) vtab.Value // what they hold
	next    int
}

// Create implements [vtab.Module].
func (t *bulkTable) Create(c vtab.Context, _ []string) (vtab.Table, error) {
	return t, c.Declare(`CREATE TABLE batch(` + t.columns + `)`)
}

// Connect implements [vtab.Module].
func (t *bulkTable) Connect(c vtab.Context, args []string) (vtab.Table, error) {
	return t.Create(c, args)
}

// BestIndex implements [vtab.Table]. There is no index: every read is of all rows.
func (t *bulkTable) BestIndex(*vtab.IndexInfo) error { return nil }

// Open implements [vtab.Table].
func (t *bulkTable) Open() (vtab.Cursor, error) { return t, nil }

// Disconnect implements [vtab.Table].
func (t *bulkTable) Disconnect() error { return nil }

// Destroy implements [vtab.Table].
func (t *bulkTable) Destroy() error { return nil }

// Filter implements [vtab.Cursor]: it goes to the first row.
func (t *bulkTable) Filter(int, string, []vtab.Value) error {
	t.next = 0
	return nil
}

// Next implements [vtab.Cursor].
func (t *bulkTable) Next() error {
	t.next++
	return nil
}

// Eof implements [vtab.Cursor].
func (t *bulkTable) Eof() bool { return t.next >= t.rows }

// Rowid implements [vtab.Cursor].
func (t *bulkTable) Rowid() (int64, error) { return int64(t.next), nil }

// Column implements [vtab.Cursor].
func (t *bulkTable) Column(col int) (vtab.Value, error) { return t.value(t.next, col), nil }

// Close implements [vtab.Cursor].
func (t *bulkTable) Close() error { return nil }

// bulkTables are the tables whose rows come by the thousand.
type bulkTables struct{ samples, processes, events *bulkTable }

func newBulkTables() bulkTables {
	return bulkTables{samples: &bulkTable{name: "new_samples", columns: sampleColumns},
		processes: &bulkTable{name: "new_processes", columns: processColumns}, events: &bulkTable{name: "new_events", columns: eventColumns}}
}

func (b *bulkTables) all() []*bulkTable { return []*bulkTable{b.samples, b.processes, b.events} }

// register makes the tables' modules known to a driver.
func (b *bulkTables) register(d *sqlite.Driver) error {
	var errs []error
	for _, t := range b.all() {
		errs = append(errs, d.RegisterModule(t.module(), t))
	}
	return errors.Join(errs...)
}

func (t *bulkTable) module() string { return "proctape_" + t.name }

// create makes the virtual tables of a connection.
func (b *bulkTables) create(conn *sql.Conn) error {
	for _, t := range b.all() {
		if _, err := conn.ExecContext(background, `CREATE VIRTUAL TABLE temp.`+t.name+` USING `+t.module()); err != nil {
			return err
		}
	}
	return nil
}
