package integration_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/bench/structure"
)

// Ceilings on how the code is built. They only fall: a change that comes out lower lowers them here. make structure prints
// what is measured, and what each figure means stands with the functions of bench/structure.
var (
	// folderCeilings are the arrows between the files of a folder that run back up, and the circles that they tie. A
	// folder that is not named here has none: a row of zeros is taken out.
	folderCeilings = map[string]folderCeiling{}
	// wayCeiling bounds the way of a message, which begins where bench/structure/settings.go says.
	wayCeiling = ceilings{
		"stops on the way of a message":   24,
		"returns on the way of a message": 10,
	}
	sizeCeiling = ceilings{
		"methods of one type":                     15,
		"lines of the longest function":           55,
		"files over 400 lines":                    0,
		"exported names without a comment":        0,
		"declared names that were given up":       0,
		"circles between the top-level folders":   0,
		"arrows up between the top-level folders": 0,
	}
)

type (
	folderCeiling struct{ up, circles int }
	ceilings      map[string]int
)

func loadModule(t *testing.T) *structure.Module {
	t.Helper()
	src, err := structure.ReadSource("..")
	if err != nil {
		t.Fatal(err)
	}
	m, err := structure.Load(structure.ModulePath, "..", src)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestStructure_CeilingsFall holds the shape of the code.
func TestStructure_CeilingsFall(t *testing.T) {
	long(t)
	t.Parallel()
	m := loadModule(t)
	if len(m.Packages) < 20 {
		t.Fatalf("%d packages: is this the right folder?", len(m.Packages))
	}
	for _, problem := range slices.Concat(checkFolders(m, folderCeilings), checkWay(t, m), checkSizes(t, m)) {
		t.Error(problem)
	}
}

func checkFolders(m *structure.Module, limits map[string]folderCeiling) []string {
	var problems []string
	for _, p := range m.Packages {
		g := m.FileUses(p)
		limit := ceilings{"arrows up in " + p.Path: limits[p.Path].up, "circles in " + p.Path: limits[p.Path].circles}
		up := g.Up()
		var names []string
		for _, a := range up {
			names = append(names, a[0]+" → "+a[1]+" by "+strings.Join(g[a[0]][a[1]], ", "))
		}
		problems = append(problems, limit.compare("arrows up in "+p.Path, len(up), names)...)
		problems = append(problems, limit.compare("circles in "+p.Path, len(g.Circles()), names)...)
	}
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		if m.PackageOf(name) == nil {
			problems = append(problems, "there is no folder "+name+" any more: take its row out of integration_test/structure_test.go")
		}
	}
	return problems
}

func checkWay(t *testing.T, m *structure.Module) []string {
	t.Helper()
	way, err := m.Walk(structure.MessageStart, structure.MessageParam)
	if err != nil {
		t.Fatalf("%v: say in bench/structure/settings.go where the way of a message begins", err)
	}
	return slices.Concat(
		wayCeiling.compare("stops on the way of a message", way.Stops(), []string{"see make structure ARGS=-v"}),
		wayCeiling.compare("returns on the way of a message", way.Returns(), []string{"see make structure ARGS=-v"}))
}

func checkSizes(t *testing.T, m *structure.Module) []string {
	t.Helper()
	renames, err := structure.Renames()
	if err != nil {
		t.Fatal(err)
	}
	most, longest := m.Receivers()[0], m.FunctionLines()[0]
	var long []string
	for _, f := range m.LongFiles(structure.FileLimit) {
		long = append(long, f.Name)
	}
	undocumented, old := m.Undocumented(), m.OldNames(renames)
	folders := m.FolderUses()
	return slices.Concat(
		sizeCeiling.compare("methods of one type", most.N, []string{most.Name}),
		sizeCeiling.compare("lines of the longest function", longest.N, []string{longest.Name}),
		sizeCeiling.compare("files over 400 lines", len(long), long),
		sizeCeiling.compare("exported names without a comment", len(undocumented), undocumented),
		sizeCeiling.compare("declared names that were given up", len(old), old),
		sizeCeiling.compare("circles between the top-level folders", len(folders.Circles()), nil),
		sizeCeiling.compare("arrows up between the top-level folders", len(folders.Up()), nil))
}

// compare says what to do when a figure is not at its ceiling.
func (c ceilings) compare(what string, measured int, found []string) []string {
	limit, known := c[what]
	switch {
	case !known:
		return []string{"there is no ceiling on " + what}
	case measured > limit:
		return []string{fmt.Sprintf("%s: %d, the ceiling is %d. Bring it down; the ceiling does not rise.\n\t%s",
			what, measured, limit, strings.Join(found, "\n\t"))}
	case measured < limit:
		return []string{fmt.Sprintf("%s: %d, the ceiling is %d. Well done: lower the ceiling to %d in integration_test/structure_test.go.",
			what, measured, limit, measured)}
	}
	return nil
}

// TestStructure_MeasuresCatch is the control: a small module with one of everything that the measures exist to find.
func TestStructure_MeasuresCatch(t *testing.T) {
	src := structure.Source{}
	for _, name := range []string{"a/one.go", "a/two.go", "b/b.go"} {
		text, err := os.ReadFile("testdata/structure/" + strings.ReplaceAll(name, "/", "_") + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		src[name] = text
	}
	m, err := structure.Load("example.org/m", ".", src)
	if err != nil {
		t.Fatal(err)
	}
	if got := checkFolders(m, nil); len(got) != 2 || !strings.Contains(got[0], "arrows up in a: 1") || !strings.Contains(got[1], "circles in a: 1") {
		t.Errorf("a circle of two files: %q", got)
	}
	if got := checkFolders(m, map[string]folderCeiling{"a": {up: 2, circles: 1}}); len(got) != 1 || !strings.Contains(got[0], "lower the ceiling to 1") {
		t.Errorf("a ceiling too high: %q", got)
	}
	if got := checkFolders(m, map[string]folderCeiling{"a": {up: 1, circles: 1}, "gone": {}}); len(got) != 1 || !strings.Contains(got[0], "gone") {
		t.Errorf("a row without a folder: %q", got)
	}
	if got := m.Undocumented(); !slices.Equal(got, []string{"a/one.go:8 Bare"}) {
		t.Errorf("without a comment: %q", got)
	}
	renames, err := structure.ReadRenames([]byte("# a comment\na glance list\nb glance list\n* T.rest remaining\na local x\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.OldNames(renames); !slices.Equal(got, []string{"a/two.go:12 T.rest: remaining is the word", "a/two.go:8 glance: list is the word"}) {
		t.Errorf("old names: %q", got)
	}
	if got := m.Receivers(); got[0] != (structure.Count{Name: "a.T", N: 2}) {
		t.Errorf("methods: %v", got)
	}
	if got := m.LongFiles(20); len(got) != 1 || got[0].Name != "a/one.go" {
		t.Errorf("long files: %v", got)
	}
	if got := m.FunctionLines(); got[0].Name != "a.Start" {
		t.Errorf("the longest function: %v", got)
	}
	if got := checkWalkOfControl(t, m); got != "" {
		t.Error(got)
	}
}

// checkWalkOfControl follows the control's message: Start in one.go, rest in two.go, back to helper in one.go, then to
// the other package; what is given a number alone, or stands behind an interface, is left out.
func checkWalkOfControl(t *testing.T, m *structure.Module) string {
	t.Helper()
	way, err := m.Walk("a.Start", "msg")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range way {
		names = append(names, s.Name)
	}
	want := []string{"a.Start", "a.T.rest", "a.T.helper", "b.Sink.Take"}
	if !slices.Equal(names, want) || way.Stops() != 4 || way.Returns() != 1 || way.Files() != 3 {
		return fmt.Sprintf("the way: %v, %d stops, %d returns; want %v, 4, 1\n%s", names, way.Stops(), way.Returns(), want, way)
	}
	return ""
}
