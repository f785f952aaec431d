package bundle

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/schema"
)

// columnsOf are the columns of a table of a database, and those of its key in their order; none where the row id is the key.
func columnsOf(ctx context.Context, conn *sql.Conn, database, table string) (columns, key []string, err error) {
	byPlace := map[int]string{}
	err = schema.EachRow(ctx, conn, `SELECT name, pk FROM pragma_table_info(?, ?) ORDER BY cid`, func(rows *sql.Rows) error {
		var name string
		var place int
		err := rows.Scan(&name, &place)
		if columns = append(columns, name); place > 0 {
			byPlace[place] = name
		}
		return err
	}, table, database)
	for i := 1; i <= len(byPlace); i++ {
		key = append(key, byPlace[i])
	}
	return columns, key, err
}

// sumTable counts and sums up the rows of a table, in the order of their keys.
func sumTable(ctx context.Context, conn *sql.Conn, name string) (Table, error) {
	t := Table{Name: name}
	columns, key, err := columnsOf(ctx, conn, "main", name)
	if err != nil {
		return t, err
	}
	order := "rowid"
	if len(key) > 0 {
		order = quoted(key)
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range into {
		into[i] = &values[i]
	}
	var row []byte
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", columns)
	err = schema.EachRow(ctx, conn, `SELECT `+quoted(columns)+` FROM "`+name+`" ORDER BY `+order, func(rows *sql.Rows) error {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		t.Rows++
		row = row[:0]
		for _, v := range values {
			row = schema.AppendValue(row, v)
		}
		h.Write(row)
		return nil
	})
	t.Sum = hex.EncodeToString(h.Sum(nil))
	return t, err
}

// quoted are names as SQL has them.
func quoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

// sums are the tables of a bundle, with what is in them now; and the sum of what makes the tables, views and indexes.
func sums(ctx context.Context, conn *sql.Conn) (tables []Table, layout string, err error) {
	made := sha256.New()
	names := []string{}
	err = schema.EachRow(ctx, conn, `SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master WHERE name <> '`+manifestTable+`' ORDER BY type, name`, func(rows *sql.Rows) error {
		var kind, name, of, text string
		err := rows.Scan(&kind, &name, &of, &text)
		fmt.Fprintf(made, "%q %q %q %q\n", kind, name, of, text)
		if kind == "table" {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, "", err
	}
	var user int
	if err := conn.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&user); err != nil {
		return nil, "", err
	}
	fmt.Fprintf(made, "version %d\n", user)
	slices.Sort(names)
	for _, name := range names {
		t, err := sumTable(ctx, conn, name)
		if err != nil {
			return nil, "", fmt.Errorf("sum up table %s: %w", name, err)
		}
		tables = append(tables, t)
	}
	return tables, hex.EncodeToString(made.Sum(nil)), nil
}
