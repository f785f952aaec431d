package integration_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/proctape/proctape/"

// allowed says what each part may import of the others. Siblings meet at the stream or the file, never in Go.
var allowed = map[string][]string{
	"schema":        {},
	"producer":      {"schema"},
	"embedded-nats": {"schema"},
	"projector":     {"schema"},
	"query":         {"schema"},
	"cmd":           {"schema", "producer", "embedded-nats", "projector", "query"},
}

// TestImports_PointOneWay reads the imports itself: what a child process reads, the test cache does not see.
func TestImports_PointOneWay(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		seen++
		rel, err := filepath.Rel("..", file)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if !mayImport(rel, imported) {
				t.Errorf("%s imports %s", rel, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Errorf("looked at %d files: is this the right folder?", seen)
	}
}

func mayImport(file, imported string) bool {
	inner, ok := strings.CutPrefix(imported, module)
	if !ok {
		return imported != "testing" && !strings.HasPrefix(imported, "github.com/vmihailenco/")
	}
	from, to := strings.Split(file, "/")[0], strings.Split(inner, "/")[0]
	if from == to {
		return path.Dir(file) != inner
	}
	for _, a := range allowed[from] {
		if a == to {
			return true
		}
	}
	return false
}

// TestImports_PolicyCatches is the control: the imports that the policy exists to forbid are forbidden.
func TestImports_PolicyCatches(t *testing.T) {
	for file, imported := range map[string]string{
		"schema/codec.go":         module + "producer",
		"producer/producer.go":    module + "projector",
		"projector/fold.go":       module + "query",
		"query/query.go":          module + "projector/ndjson",
		"embedded-nats/server.go": module + "producer/procfs",
		"query/live.go":           module + "cmd/proctape",
		"schema/x.go":             "testing",
	} {
		if mayImport(file, imported) {
			t.Errorf("%s may import %s", file, imported)
		}
	}
}
