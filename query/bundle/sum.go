package bundle

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"slices"
	"strings"
)

// each runs a query, and passes every row to scan.
func each(ctx context.Context, conn *sql.Conn, query string, scan func(*sql.Rows) error, args ...any) error {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// columnsOf are the columns of a table, and those of its key in their order; none where the row id is the key.
func columnsOf(ctx context.Context, conn *sql.Conn, schema, table string) (columns, key []string, err error) {
	byPlace := map[int]string{}
	err = each(ctx, conn, `SELECT name, pk FROM pragma_table_info(?, ?) ORDER BY cid`, func(rows *sql.Rows) error {
		var name string
		var place int
		err := rows.Scan(&name, &place)
		if columns = append(columns, name); place > 0 {
			byPlace[place] = name
		}
		return err
	}, table, schema)
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
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", columns)
	err = each(ctx, conn, `SELECT `+quoted(columns)+` FROM "`+name+`" ORDER BY `+order, func(rows *sql.Rows) error {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		t.Rows++
		for _, v := range values {
			if err := addValue(h, v); err != nil {
				return err
			}
		}
		return nil
	})
	t.Sum = hex.EncodeToString(h.Sum(nil))
	return t, err
}

// addValue adds a value to a sum: its type, its length and its bytes, so that no two rows have the same bytes.
func addValue(h hash.Hash, v any) error {
	var b []byte
	kind := byte('n')
	switch v := v.(type) {
	case nil:
	case int64:
		kind, b = 'i', binary.BigEndian.AppendUint64(nil, uint64(v))
	case float64:
		kind, b = 'f', binary.BigEndian.AppendUint64(nil, math.Float64bits(v))
	case string:
		kind, b = 't', []byte(v)
	case []byte:
		kind, b = 'b', v
	default:
		return fmt.Errorf("a value of the type %T", v)
	}
	head := append([]byte{kind}, binary.BigEndian.AppendUint64(nil, uint64(len(b)))...)
	h.Write(head)
	h.Write(b)
	return nil
}

// quoted are names as SQL has them.
func quoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

// sums are the tables of a bundle, with what is in them now; and the sum of what makes the tables, views and indexes.
func sums(ctx context.Context, conn *sql.Conn) (tables []Table, layout string, err error) {
	made := sha256.New()
	names := []string{}
	err = each(ctx, conn, `SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master WHERE name <> '`+manifestTable+`' ORDER BY type, name`, func(rows *sql.Rows) error {
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
