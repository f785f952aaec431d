package main

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// Databases of earlier versions lie in testdata/databases, each with what was answered from it: vN.db.gz, of the fixed recording, and
// vN.json, by the command line. N is the number of steps of migration.

// storedCases are the questions: those of TestGolden that are answered in JSON.
func storedCases() (cases []string) {
	for name, args := range goldenCases {
		if strings.HasSuffix(name, ".json") {
			cases = append(cases, args)
		}
	}
	slices.Sort(cases)
	return cases
}

// TestDatabases_OfEachVersion brings each database up to this build's tables, and asks it what was asked when it was stored: all that was
// answered then is answered now, with keys that are new beside it.
func TestDatabases_OfEachVersion(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	newest := newestVersion(t)
	stored := filepath.Join("testdata", "databases", fmt.Sprintf("v%d.db.gz", newest))
	if _, err := os.Stat(stored); *update && os.IsNotExist(err) {
		storeDatabase(t, stored)
	} else if err != nil {
		t.Errorf("no database of version %d is stored: go test ./cmd/proctape -run TestDatabases -update stores one", newest)
	}
	files, err := filepath.Glob("testdata/databases/v*.db.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			answers := strings.TrimSuffix(file, ".db.gz") + ".json"
			db := migrated(t, file, newest)
			if *update {
				writeAnswers(t, answers, db)
			}
			if problems := differences(t, answers, db); len(problems) > 0 {
				t.Errorf("what was answered when this database was stored is answered otherwise; where that is meant, go test ./cmd/proctape -run TestDatabases -update writes it\n%s", strings.Join(problems, "\n"))
			}
		})
	}
	// The controls: steps of migration that lose something.
	for _, loss := range []string{`DELETE FROM samples WHERE id % 2 = 0`, `DELETE FROM runs`, `UPDATE processes SET pid = pid + 1`} {
		db := migrated(t, stored, newest)
		change(t, db, loss)
		if len(differences(t, strings.TrimSuffix(stored, ".db.gz")+".json", db)) == 0 {
			t.Errorf("after %s nothing is missed: this test catches nothing", loss)
		}
	}
}

// TestDatabases_AreReadAsTheyAre asks each stored database without bringing it up to this build's tables, as it lay where an older build closed it: what it lacks is unknown,
// all else is answered, and nothing is written. The control is a connection of SQLite's own, for which a metric is missing. Two of them answer as one too.
func TestDatabases_AreReadAsTheyAre(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	files, err := filepath.Glob("testdata/databases/v*.db.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			db := unpacked(t, file)
			before := contentOf(t, db)
			if strings.HasSuffix(file, "v7.db.gz") && !lacksMetric(t, db) {
				t.Error("control: the database lacks no metric, so this test catches nothing")
			}
			if problems := differences(t, strings.TrimSuffix(file, ".db.gz")+".json", db); len(problems) > 0 {
				t.Errorf("it is answered otherwise than by this build's own tables:\n%s", strings.Join(problems, "\n"))
			}
			if !bytes.Equal(before, contentOf(t, db)) {
				t.Error("to read it changed it")
			}
		})
	}
	one, other := unpacked(t, files[0]), unpacked(t, files[0])
	rehosted(t, other)
	if answer := answerOf(t, "snapshots", "--since", "0", "--limit", "0", "--json", "--db", one, "--db", other); strings.Count(answer, "\n") != 2*strings.Count(answerOf(t, "snapshots", "--since", "0", "--limit", "0", "--json", "--db", one), "\n") {
		t.Errorf("two of them answer\n%s", answer)
	}
}

// lacksMetric reports whether the tables of a database, as they are, lack the newest metric.
func lacksMetric(t *testing.T, path string) bool {
	t.Helper()
	db, err := sql.Open("sqlite", schema.ReaderDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `SELECT fd_limit FROM samples LIMIT 1`)
	return err != nil && strings.Contains(err.Error(), "no such column")
}

// rehosted gives the only host of a database another name, as another machine's.
func rehosted(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range []string{"hosts", "snapshots", "processes", "rosters", "producers", "process_events"} {
		column := map[bool]string{true: "id", false: "host_id"}[table == "hosts"]
		if _, err := db.ExecContext(t.Context(), `UPDATE `+table+` SET `+column+` = `+column+` + 1`); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), `UPDATE hosts SET name = 'other-' || name WHERE name <> ?; UPDATE checkpoints SET created = created + 1`, schema.Fleet); err != nil {
		t.Fatal(err)
	}
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newestVersion is how many steps of migration this build knows.
func newestVersion(t *testing.T) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "new.db")
	db := openToWrite(t, path)
	defer db.Close()
	var n int
	if err := db.QueryRow(`PRAGMA user_version`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// openToWrite opens a database, and brings it up to this build's tables.
func openToWrite(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", schema.WriterDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err == nil {
		err = schema.Migrate(t.Context(), conn)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	return db
}

// unpacked is a stored database as it was.
func unpacked(t *testing.T, stored string) (path string) {
	t.Helper()
	packed, err := os.Open(stored)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	content, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "monitor.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// migrated unpacks a stored database, and brings it up to this build's tables.
func migrated(t *testing.T, stored string, newest int) (path string) {
	t.Helper()
	path = unpacked(t, stored)
	version := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(stored), ".db.gz"), "v")
	if before, err := strconv.Atoi(version); err != nil || before > newest {
		t.Fatalf("%s is of version %s, and this build of %d", stored, version, newest)
	}
	if err := openToWrite(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// change runs a statement on a database.
func change(t *testing.T, path, statement string) {
	t.Helper()
	db := openToWrite(t, path)
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// storeDatabase stores a database of this build.
func storeDatabase(t *testing.T, path string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	db, err := query.Open(t.Context(), filepath.Join(dir, "monitor.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := db.CopyTo(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// answersOf asks a database all questions.
func answersOf(t *testing.T, db string) map[string]string {
	t.Helper()
	answers := map[string]string{}
	for _, args := range storedCases() {
		answers[args] = unvaried(answerOf(t, append(strings.Fields(args), "--db", db)...))
	}
	return answers
}

func writeAnswers(t *testing.T, path, db string) {
	t.Helper()
	b, err := json.MarshalIndent(answersOf(t, db), "", " ")
	if err == nil {
		err = os.WriteFile(path, append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// differences are what was answered when a database was stored, and is not any more.
func differences(t *testing.T, path, db string) (problems []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var before map[string]string
	if err := json.Unmarshal(b, &before); err != nil {
		t.Fatal(err)
	}
	now := answersOf(t, db)
	for args, answer := range before {
		was, is := strings.Split(answer, "\n"), strings.Split(now[args], "\n")
		if len(was) != len(is) {
			problems = append(problems, fmt.Sprintf("%s: %d lines, and %d before", args, len(is), len(was)))
			continue
		}
		for i := range was {
			var a, b any
			if json.Unmarshal(asJSON(was[i]), &a) != nil || json.Unmarshal(asJSON(is[i]), &b) != nil {
				a, b = was[i], is[i]
			}
			if !holds(b, a) {
				problems = append(problems, fmt.Sprintf("%s, line %d:\n%s\nand before:\n%s", args, i+1, is[i], was[i]))
			}
		}
	}
	return problems
}

// fraction is one that unvaried took for a hash.
var fraction = regexp.MustCompile(`(\d)\.HASH\b`)

// asJSON is a line of an answer with the words of unvaried as texts.
func asJSON(line string) []byte {
	line = strings.NewReplacer(":LATER", `:"LATER"`, ":SHARE", `:"SHARE"`).Replace(line)
	return []byte(fraction.ReplaceAllString(line, "$1"))
}

// holds reports whether a value has all that another has; objects may have more keys.
func holds(now, before any) bool {
	switch before := before.(type) {
	case map[string]any:
		object, ok := now.(map[string]any)
		if !ok {
			return false
		}
		for key, v := range before {
			if got, ok := object[key]; !ok || !holds(got, v) {
				return false
			}
		}
		return true
	case []any:
		list, ok := now.([]any)
		if !ok || len(list) != len(before) {
			return false
		}
		for i := range before {
			if !holds(list[i], before[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(now, before)
}
