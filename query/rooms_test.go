package query_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/proctape/proctape/query"

// roomMayImport reports whether a file in a room, such as "report", or in the root, which is ".", may import a package. A room
// may import the root and term; the root and term import no room. Of the rest of proctape all may import schema alone.
func roomMayImport(room, imported string) bool {
	inner, ours := strings.CutPrefix(imported, "github.com/proctape/proctape/")
	switch {
	case !ours || inner == "schema" || strings.HasPrefix(inner, "schema/"):
		return true
	case room == "." || room == "term":
		return false
	}
	return imported == module || imported == module+"/term"
}

func TestRooms_NeverImportEachOther(t *testing.T) {
	seen := map[string]bool{}
	for _, pattern := range []string{"*.go", "*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			room := filepath.Dir(file)
			seen[room] = true
			for _, spec := range f.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if !roomMayImport(room, imported) {
					t.Errorf("%s imports %s", file, imported)
				}
			}
		}
	}
	for _, room := range []string{".", "live", "report", "term", "verify"} {
		if !seen[room] {
			t.Errorf("it read no file of %s", room)
		}
	}
}

// The control: what the rule forbids is forbidden.
func TestRooms_RuleCatches(t *testing.T) {
	for room, imported := range map[string]string{
		"report": module + "/verify", "verify": module + "/live", "live": module + "/report", ".": module + "/report", "term": module,
	} {
		if roomMayImport(room, imported) {
			t.Errorf("%s may import %s", room, imported)
		}
	}
	if roomMayImport("verify", "github.com/proctape/proctape/projector") {
		t.Error("verify may import projector")
	}
}
