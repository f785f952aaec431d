package query_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
)

// A statement that finds no further row, for ever, ends with its context, and the database answers the next one.
func TestForeignRows_EndBetweenRows(t *testing.T) {
	r := newRecording(t)
	db, err := query.Open(t.Context(), r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := 0
	err = query.ForeignRows(ctx, db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n WHERE i = 1 OR i < 0`, nil, func(rows *sql.Rows) error {
		for rows.Next() {
			got++
			time.AfterFunc(50*time.Millisecond, cancel) // in the midst of the search for the second
		}
		return rows.Err()
	})
	if !errors.Is(err, context.Canceled) || got != 1 {
		t.Errorf("got %d rows, %v", got, err)
	}
	if err := query.ForeignRows(t.Context(), db, `SELECT 1`, nil, func(rows *sql.Rows) error { return nil }); err != nil {
		t.Error(err)
	}
}

// Statements are counted without what stands in quotes and comments.
func TestStatementsIn(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, " ; ;": 0, "-- SELECT 1": 0, "/* SELECT 1; */": 0, "SELECT 1": 1, "SELECT 1;": 1, "SELECT 1; -- end": 1, "SELECT ';';": 1,
		`SELECT "a;b", [c;d], 'it''s;'`: 1, "SELECT 1;SELECT 2": 2, "SELECT 1 -- ;\n; SELECT 2 /* ; */": 2, "SELECT 'open; x": 1, "SELECT 1 /* open ; ": 1,
	} {
		if got := query.StatementsIn(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

// A word has a place where there is one of it.
func TestPlaceIn(t *testing.T) {
	for _, c := range []struct {
		text, word   string
		line, column int
	}{
		{"SELECT x", "x", 1, 8}, {"SELECT 'é'\n  , é.foo", "foo", 2, 7}, {"SELECT a, a", "a", 0, 0}, {"SELECT 'a'", "a", 0, 0}, {"", "a", 0, 0}, {"SELECT", "", 0, 0},
	} {
		if line, column := query.PlaceIn(c.text, c.word); line != c.line || column != c.column {
			t.Errorf("%q in %q: got %d, %d", c.word, c.text, line, column)
		}
	}
}
