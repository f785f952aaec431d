package top

import (
	"os"
	"strings"
	"testing"
)

// TestDocument_HasTheTables holds docs/top.md to the tables that the program uses. UPDATE=1 writes them into it.
func TestDocument_HasTheTables(t *testing.T) {
	const path = "../../docs/top.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, table := range map[string]string{"keys": KeyTable(), "columns": ColumnTable()} {
		begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
		before, rest, ok := strings.Cut(text, begin)
		got, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s has no %q … %q", path, begin, end)
		}
		if got != table && os.Getenv("UPDATE") == "" {
			t.Errorf("the table of %s in %s is not the program's: run with UPDATE=1\n%s", name, path, table)
		}
		text = before + begin + table + end + after
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
