package mcp

import (
	"context"
	"database/sql"
	"encoding/hex"
	"math"

	"github.com/proctape/proctape/query"
)

// sqlAsked asks in SQL.
type sqlAsked struct {
	Statement string `json:"statement" jsonschema:"one statement that reads rows, as SQLite takes it"`
	Rows      int    `json:"rows,omitempty" jsonschema:"at most so many rows (default 100)"`
}

// usualRows is how many rows an answer has when nobody says.
const usualRows = 100

// statement answers the rows of a statement.
func statement(ctx context.Context, a *asked, in *sqlAsked) (*reply, error) {
	r := &rows{Rows: [][]any{}}
	cut := false
	err := query.ForeignRows(ctx, a.db, in.Statement, nil, func(from *sql.Rows) (err error) {
		cut, err = r.read(from, limitOf(in.Rows, usualRows))
		return err
	})
	if err != nil {
		return nil, err
	}
	covers, err := lastKnown(ctx, a)
	return &reply{value: r, covers: covers, cut: cut}, err
}

// read reads rows up to a limit, or until they are too large for an answer, and reports whether there are more.
func (r *rows) read(from *sql.Rows, limit int) (cut bool, err error) {
	if r.Columns, err = from.Columns(); err != nil {
		return false, err
	}
	size := 0
	for from.Next() {
		if len(r.Rows) == limit || size > mostBytes {
			return true, nil
		}
		values, into := make([]any, len(r.Columns)), make([]any, len(r.Columns))
		for i := range into {
			into[i] = &values[i]
		}
		if err := from.Scan(into...); err != nil {
			return false, err
		}
		for i := range values {
			values[i] = plain(values[i])
			if text, is := values[i].(string); is {
				size += len(text)
			}
			size += 2
		}
		r.Rows = append(r.Rows, values)
	}
	return false, from.Err()
}

// plain is a value as JSON has it: bytes in hexadecimal, and what is beyond all numbers as text.
func plain(v any) any {
	switch v := v.(type) {
	case []byte:
		return hex.EncodeToString(v)
	case float64:
		if math.IsInf(v, 1) {
			return "9e999"
		}
		if math.IsInf(v, -1) {
			return "-9e999"
		}
	}
	return v
}
