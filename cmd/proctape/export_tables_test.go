package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/proctape/proctape/query/export"
)

// rowsOf are the rows that a table must have, as the lines of JSON have them; what is not known is not in a row.
func rowsOf(t *testing.T, lines string) (rows []map[string]string) {
	t.Helper()
	plain := func(from map[string]any) map[string]string {
		row := map[string]string{}
		for key, v := range from {
			switch v := v.(type) {
			case string:
				row[key] = v
			case float64:
				row[key] = strconv.FormatFloat(v, 'f', -1, 64)
			case bool:
				row[key] = strconv.FormatBool(v)
			case map[string]any:
				text, _ := json.Marshal(v)
				row[key] = string(text)
			}
			if row[key] == "" {
				delete(row, key)
			}
		}
		return row
	}
	for line := range strings.Lines(lines) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		what := l["what"]
		delete(l, "what")
		switch what {
		case export.Samples:
			for _, p := range l["processes"].([]any) {
				row := plain(p.(map[string]any))
				maps.Copy(row, plain(map[string]any{"timestamp": l["timestamp"], "host": l["host"], "resolution_seconds": 0.0}))
				rows = append(rows, row)
			}
		case export.Events, export.Execs, export.Runs, export.Gaps:
			rows = append(rows, plain(l))
		}
	}
	for _, row := range rows {
		if row["fleet"] == "" && row["kind"] == "" { // JSON leaves it out where it is false
			row["fleet"] = "false"
		}
	}
	return rows
}

// csvRows are the rows of a CSV.
func csvRows(t *testing.T, text []byte) (rows []map[string]string) {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, cell := range cells {
			if cell != "" {
				row[all[0][i]] = cell
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// parquetRows are the rows of a Parquet file, and its metadata. The column time is not among them: it must be the timestamp.
func parquetRows(t *testing.T, text []byte) (rows []map[string]string, file *parquet.File) {
	t.Helper()
	file, err := parquet.OpenFile(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	names := file.Schema().Columns()
	for _, group := range file.RowGroups() {
		reader := group.Rows()
		defer reader.Close()
		buffer := make([]parquet.Row, 64)
		for {
			n, err := reader.ReadRows(buffer)
			for _, r := range buffer[:n] {
				row := map[string]string{}
				for _, v := range r {
					if v.IsNull() {
						continue
					}
					row[names[v.Column()][0]] = v.String()
					if v.Kind() == parquet.Double {
						row[names[v.Column()][0]] = strconv.FormatFloat(v.Double(), 'f', -1, 64)
					}
				}
				at, _ := strconv.ParseFloat(row["timestamp"]+row["started"], 64)
				if micros, err := strconv.ParseInt(row["time"], 10, 64); err != nil || math.Abs(float64(micros)-at*1e6) > 1 {
					t.Errorf("time is %v of %v", row["time"], at)
				}
				delete(row, "time")
				rows = append(rows, row)
			}
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	return rows, file
}

// TestExport_Tables: the rows of CSV and Parquet are what JSON has, value by value.
func TestExport_Tables(t *testing.T) {
	db, q := exported(t)
	write := func(w export.Writer, what string) {
		t.Helper()
		q.What = []string{what}
		if _, err := export.Write(t.Context(), db, q, export.Place{}, w, func(export.Place, float64) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for _, what := range export.AllWhat {
		var lines, comma, columns bytes.Buffer
		write(export.NewNDJSON(&lines), what)
		write(export.NewCSV(&comma), what)
		write(export.NewParquet(&columns), what)
		want := rowsOf(t, lines.String())
		if len(want) == 0 {
			t.Fatalf("there are no %s to compare", what)
		}
		rows, file := parquetRows(t, columns.Bytes())
		for format, got := range map[string][]map[string]string{"csv": csvRows(t, comma.Bytes()), "parquet": rows} {
			if len(got) != len(want) {
				t.Errorf("%s: %d rows of %s, want %d", format, len(got), what, len(want))
				continue
			}
			for i := range want {
				if diff := rowDifferences(got[i], want[i]); len(diff) > 0 {
					t.Fatalf("%s, row %d of %s: %v", format, i, what, diff)
				}
			}
		}
		checkMetadata(t, file, what)
	}
	if diff := rowDifferences(map[string]string{"a": "1", "c": "0"}, map[string]string{"a": "2", "b": "3"}); len(diff) != 3 {
		t.Errorf("the control: rows that differ in three values have the differences %v", diff)
	}
}

// rowDifferences are what two rows do not have in common. Lists, such as the steps of a run, have no column.
func rowDifferences(got, want map[string]string) (all []string) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			all = append(all, fmt.Sprintf("%s is %q, want %q", key, got[key], want[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, is := want[key]; !is {
			all = append(all, fmt.Sprintf("%s is %q, and is not known", key, got[key]))
		}
	}
	return all
}

// checkMetadata checks what a Parquet file says of itself.
func checkMetadata(t *testing.T, file *parquet.File, what string) {
	t.Helper()
	var columns []struct{ Name, Unit, Doc string }
	var coverage []struct {
		Host     string
		Complete bool
	}
	for key, into := range map[string]any{"columns": &columns, "coverage": &coverage} {
		text, is := file.Lookup("proctape." + key)
		if err := json.Unmarshal([]byte(text), into); !is || err != nil {
			t.Errorf("%s of %s: %v, %v", key, what, is, err)
		}
	}
	if of, _ := file.Lookup("proctape.what"); of != what || len(coverage) != 2 || coverage[1].Complete {
		t.Errorf("%s: the file says that it is of %s, and how much is known %v", what, of, coverage)
	}
	if what == export.Samples && !slices.Contains(columns, struct{ Name, Unit, Doc string }{"rss_mb", "MiB", "Resident memory, from statm."}) {
		t.Errorf("the columns are %v", columns)
	}
}

// duckdb asks DuckDB, through node.
const duckdb = `const {DuckDBInstance} = require("@duckdb/node-api");
DuckDBInstance.create(":memory:").then((i) => i.connect()).then((c) => c.runAndReadAll(process.argv[1])).then((r) => console.log(JSON.stringify(r.getRowsJson())))`

// TestParquet_DuckDB: another program reads the file, and its sums are those of the recording.
func TestParquet_DuckDB(t *testing.T) {
	if err := exec.Command("node", "-e", `require("@duckdb/node-api")`).Run(); err != nil {
		t.Skipf("SKIPPED: there is no node with @duckdb/node-api to read Parquet with (npm install @duckdb/node-api, NODE_PATH): %v", err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	file := filepath.Join(t.TempDir(), "samples.parquet")
	answerOf(t, "export", "--data", dir, "-o", file)
	want := strings.TrimSpace(answerOf(t, "sql", "--data", dir, "--csv", "SELECT count(*), sum(rss_mb), sum(cpu_seconds), count(gpu_memory_mb), count(DISTINCT pid) FROM process_metrics"))
	out, err := exec.Command("node", "-e", duckdb, fmt.Sprintf("SELECT count(*)::INT, sum(rss_mb), sum(cpu_seconds), count(gpu_memory_mb)::INT, count(DISTINCT pid)::INT FROM '%s'", file)).CombinedOutput()
	var got [][]float64
	if err != nil || json.Unmarshal(out, &got) != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, line, _ := strings.Cut(want, "\n")
	for i, cell := range strings.Split(line, ",") {
		v, err := strconv.ParseFloat(cell, 64)
		if err != nil || math.Abs(v-got[0][i]) > 1e-6 || i < 3 && v == 0 {
			t.Errorf("value %d: DuckDB has %v, the database %q", i, got[0], line)
		}
	}
}
