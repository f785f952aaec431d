package store

import (
	"database/sql"

	"modernc.org/sqlite/vtab"
)

// Tx is a transaction under way. It ends when the function that got it returns.
type Tx struct{ store *Store }

// Write runs f in a transaction, which commits when f returns nil and changes nothing otherwise. After an error, what
// the caller remembers of the database may no longer hold: it opens the database again.
func (s *Store) Write(f func(*Tx) error) error {
	err := s.transact(func() error { return f(&Tx{s}) })
	if err == nil {
		err = s.prover.committed()
	} else {
		err = s.prover.classify(err)
	}
	s.prover.failed = err != nil
	return err
}

// Exec runs a statement, prepared at its first use. After a statement that failed, no other of its transaction runs.
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	return tx.store.exec(query, args...)
}

// Query passes each row of a query to scan. It sees what the transaction has written.
func (tx *Tx) Query(query string, scan func(*sql.Rows) error, args ...any) error {
	return tx.store.Query(query, scan, args...)
}

// execAll runs a statement for each of the items, with the arguments that args gives of it.
func execAll[T any](tx *Tx, items []T, query string, args func(*T) []any) error {
	for i := range items {
		if _, err := tx.Exec(query, args(&items[i])...); err != nil {
			return err
		}
	}
	return nil
}

// insertAll inserts rows whose table takes them as they are.
func (tx *Tx) insertAll(table string, from *bulkTable, rows int, value func(row, column int) vtab.Value) error {
	return tx.execBulk(from, rows, value, `INSERT OR ROLLBACK INTO `+table+`(`+from.columns+`) SELECT `+from.columns+` FROM temp.`+from.name)
}

// execBulk runs a statement that reads rows from a bulk table.
func (tx *Tx) execBulk(t *bulkTable, rows int, value func(row, column int) vtab.Value, query string) error {
	if rows == 0 {
		return nil
	}
	t.rows, t.value = rows, value
	defer func() { t.rows, t.value = 0, nil }()
	_, err := tx.Exec(query)
	return err
}
