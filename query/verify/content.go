package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// Content is what a database holds, as hashes by table, host and day. Rows are named by their producers' identities and
// not by row ids. So two databases that tell the same story have the same content, even when one of them was projected
// from a log that had lost its end and grown again.
type Content map[Bucket]Hash

// Bucket is a part of a database's content.
type Bucket struct {
	Table string `json:"table"`
	Host  string `json:"host"` // empty for what is no one host's
	Day   string `json:"day"`  // UTC; empty for what has no day
}

// Hash is the hash of a set of rows: the sum of the SHA-256 of each row, so the order of the rows does not matter.
type Hash struct {
	Rows int64
	Sum  [4]uint64
}

// String is the sum in hexadecimal digits.
func (h Hash) String() string {
	var b [32]byte
	for i, v := range h.Sum {
		binary.BigEndian.PutUint64(b[8*i:], v)
	}
	return hex.EncodeToString(b[:8])
}

func (h *Hash) add(row [sha256.Size]byte) {
	h.Rows++
	for i := range h.Sum {
		h.Sum[i] += binary.BigEndian.Uint64(row[8*i:])
	}
}

// ReadContent hashes all that a database holds. Nobody may write the database meanwhile: each table is read in a
// transaction of its own, so the parts would be of different times.
func ReadContent(ctx context.Context, db *query.DB) (Content, error) {
	content := Content{}
	for _, c := range hashedTables {
		if err := hashTable(ctx, db.Handle(), c.table, c.query, content); err != nil {
			return nil, fmt.Errorf("read %s: %w", c.table, err)
		}
	}
	return content, nil
}

// hashTable adds the rows that a query reads to a content.
func hashTable(ctx context.Context, db schema.RowQuerier, table, query string, content Content) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values, columns := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		columns[i] = &values[i]
	}
	var buf []byte
	for rows.Next() {
		if err := rows.Scan(columns...); err != nil {
			return err
		}
		buf = buf[:0]
		for _, v := range values[2:] {
			buf = schema.AppendValue(buf, v)
		}
		host, _ := values[0].(string)
		b := Bucket{table, host, day(values[1])}
		h := content[b]
		h.add(sha256.Sum256(buf))
		content[b] = h
	}
	return rows.Err()
}

// day is the day of a Unix time, UTC; empty for NULL.
func day(v any) string {
	t, ok := v.(float64)
	if !ok {
		return ""
	}
	return time.Unix(int64(t), 0).UTC().Format(time.DateOnly)
}

// Tables is the content by table alone. Every table is in it, also one without rows.
func (c Content) Tables() map[string]Hash {
	tables := map[string]Hash{}
	for _, t := range hashedTables {
		tables[t.table] = Hash{}
	}
	for b, h := range c {
		t := tables[b.Table]
		t.Rows += h.Rows
		for i := range t.Sum {
			t.Sum[i] += h.Sum[i]
		}
		tables[b.Table] = t
	}
	return tables
}

// Difference is a part of the content in which two databases differ, with the number of rows that each has there.
type Difference struct {
	Bucket
	Rows    int64 `json:"rows"`         // of the database that is verified
	Against int64 `json:"against_rows"` // of the other
}

// Diff lists where two contents differ, by table, host and day. Equal contents differ nowhere.
func (c Content) Diff(against Content) []Difference {
	all := maps.Clone(c)
	maps.Copy(all, against)
	var diffs []Difference
	for b := range all {
		if c[b] != against[b] {
			diffs = append(diffs, Difference{b, c[b].Rows, against[b].Rows})
		}
	}
	slices.SortFunc(diffs, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(x.Table, y.Table), cmp.Compare(x.Host, y.Host), cmp.Compare(x.Day, y.Day))
	})
	return diffs
}
