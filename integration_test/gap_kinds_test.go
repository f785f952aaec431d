package integration_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

// TestGapKinds_AreAllNoticed looks for the constant of each kind of gap in the part that is to notice it.
func TestGapKinds_AreAllNoticed(t *testing.T) {
	t.Parallel()
	constants := gapConstants(t)
	folders := map[schema.GapNoticer]string{schema.NoticedBySampler: "../producer", schema.NoticedByProjector: "../projector",
		schema.NoticedByLog: "../embedded-nats", schema.NoticedByBundle: "../query/bundle"}
	named := map[schema.GapNoticer]map[string]bool{}
	for noticer, folder := range folders {
		named[noticer] = gapConstantsIn(t, folder)
	}
	for _, k := range schema.GapKinds() {
		if name := constants[k.Kind]; name == "" || !named[k.Noticer][name] {
			t.Errorf("%s: schema.%s is named nowhere in %s: the %s does not notice it", k.Kind, name, folders[k.Noticer], k.Noticer)
		}
	}
	// The control: what the projector alone notices is not named in the producer.
	if named[schema.NoticedBySampler]["GapReboot"] {
		t.Error("the producer names GapReboot: this test catches nothing")
	}
}

// TestGapKinds_AreAllTested looks for each kind of gap that the projector notices in a test of the projector, or in one of
// the whole line.
func TestGapKinds_AreAllTested(t *testing.T) {
	t.Parallel()
	constants, tests := gapConstants(t), projectorTests(t)
	for _, k := range schema.GapKinds() {
		if k.Noticer == schema.NoticedByProjector && !namesGap(tests, constants[k.Kind], k.Kind) {
			t.Errorf("%s: no test of projector or projector/fold names schema.%s: add a row to TestGapsBetween in "+
				"projector/fold/continuity_test.go, or a test in projector", k.Kind, constants[k.Kind])
		}
	}
	// The control: a kind that does not exist.
	if namesGap(tests, "GapMadeUp", "made_up") {
		t.Error("a test names GapMadeUp: this test catches nothing")
	}
}

// namesGap reports whether tests name a kind of gap by its constant, or by its word at the beginning of a text.
func namesGap(tests, constant string, kind schema.GapKind) bool {
	return regexp.MustCompile(`schema\.` + constant + `\b|["'` + "`" + `]` + string(kind) + `\b`).MatchString(tests)
}

// projectorTests is the text of the tests of the projector, and of those here which cut or delete streams of a real server.
func projectorTests(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, pattern := range []string{"../projector/*_test.go", "../projector/fold/*_test.go", "identity_test.go"} {
		for _, file := range must(filepath.Glob(pattern))(t) {
			text.Write(must(os.ReadFile(file))(t))
		}
	}
	return text.String()
}

// gapConstants are the names of the constants of the kinds of gaps.
func gapConstants(t *testing.T) map[schema.GapKind]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../schema/gap_kind.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[schema.GapKind]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "GapKind" {
				names[schema.GapKind(must(strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value))(t))] = spec.Names[0].Name
			}
		}
		return true
	})
	return names
}

// gapConstantsIn are the constants of kinds of gaps that the code in a folder names, tests left out.
func gapConstantsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	pattern := regexp.MustCompile(`schema\.(Gap[A-Za-z]+)`)
	names := map[string]bool{}
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range pattern.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
