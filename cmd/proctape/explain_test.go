package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
)

// A database that an older build closed lacks the column of a metric that is new: the error says what adds it. The control is a column that no metric has.
func TestExplain_OlderDatabase(t *testing.T) {
	path := migrated(t, filepath.Join("testdata", "databases", "v11.db.gz"), newestVersion(t))
	change(t, path, `DROP VIEW process_metrics; ALTER TABLE samples DROP COLUMN fd_limit; CREATE VIEW process_metrics AS SELECT 1`)
	db, err := query.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = query.Snapshots(t.Context(), db, query.Range{Limit: 1})
	if err == nil {
		t.Fatal("it is read without the column")
	}
	if hint := hintOf(explainRead(err, &settings{db: path})); !strings.Contains(hint, path+" was last written by an older build") {
		t.Errorf("%v: the hint is %q", err, hint)
	}
	if isOlder(errText("SQL logic error: no such column: m.nothing (1)")) {
		t.Error("control: any column is one of a metric")
	}
}

type errText string

func (e errText) Error() string { return string(e) }
