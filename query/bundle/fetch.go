package bundle

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// fetch copies the rows of all tables from a database that answers statements alone. Each statement is of a moment of its own: what is recorded meanwhile may be in
// a table and not in one that was copied before it.
func (p *part) fetch(ctx context.Context, conn *sql.Conn, source *sql.DB) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	filled := p.conditions(elsewhere)
	for _, t := range copied {
		if err := fetchTable(ctx, tx, conn, source, t.table, filled(t.rows)); err != nil {
			return fmt.Errorf("copy table %s: %w", t.table, err)
		}
	}
	return tx.Commit()
}

// fetchTable copies the columns that a table has in both databases.
func fetchTable(ctx context.Context, tx *sql.Tx, conn *sql.Conn, source *sql.DB, table, condition string) error {
	ours, _, err := columnsOf(ctx, conn, "main", table)
	if err != nil {
		return err
	}
	var there int
	if err := source.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?`, table).Scan(&there); err != nil || there == 0 {
		return err
	}
	empty, err := source.QueryContext(ctx, `SELECT * FROM "`+table+`" LIMIT 0`)
	if err != nil {
		return err
	}
	theirs, err := empty.Columns()
	if err := empty.Close(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	both := slices.DeleteFunc(ours, func(name string) bool { return !slices.Contains(theirs, name) })
	rows, err := source.QueryContext(ctx, `SELECT `+quoted(both)+` FROM "`+table+`" s WHERE `+condition)
	if err != nil {
		return err
	}
	defer rows.Close()
	insert, err := tx.PrepareContext(ctx, `INSERT INTO main."`+table+`" (`+quoted(both)+`) VALUES (?`+strings.Repeat(", ?", len(both)-1)+`)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	values, into := make([]any, len(both)), make([]any, len(both))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return rows.Err()
}
