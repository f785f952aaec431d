package integration_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/proctape/proctape/"

// A room is what one package of this module may use. Test files may use what they like.
type room struct {
	uses  []string // packages of this module; "producer/..." is every package below producer, and producer
	never []string // packages that are not this module's, by the beginning of their path
	clock bool     // it may not ask what time it is
	tests bool     // it serves tests: it may import testing, and no program may import it
}

// What a room does not need.
var (
	natsPackages = []string{"github.com/nats-io/"}
	sqlPackages  = []string{"database/sql", "modernc.org/"}
	httpPackages = []string{"net/http"}
)

// rooms is the policy: every package of this module, and what it may use. Imports point one way: cmd, then the parts, then
// schema. Parts meet at the stream or the file, never in Go. Inside a part the rooms point one way too.
var rooms = map[string]room{
	"schema":                 {uses: []string{"schema/column", "schema/wire"}, never: httpPackages}, // and schema/metric, as all who may use schema
	"schema/metric":          {uses: []string{"schema/column"}, never: slices.Concat(natsPackages, sqlPackages, httpPackages)},
	"schema/wire":            {never: slices.Concat(natsPackages, sqlPackages, httpPackages)}, // it alone may use the MessagePack library
	"schema/column":          {never: slices.Concat(natsPackages, sqlPackages, httpPackages)},
	"schema/filecheck":       {never: slices.Concat(natsPackages, sqlPackages, httpPackages)},
	"schema/proof":           {uses: []string{"schema/filecheck"}, never: slices.Concat(natsPackages, sqlPackages, httpPackages)},
	"schema/lockfile":        {uses: []string{"schema/filecheck"}, never: slices.Concat(natsPackages, sqlPackages, httpPackages)},
	"schema/backup":          {uses: []string{"schema/filecheck"}, never: slices.Concat(natsPackages, sqlPackages, httpPackages)},
	"schema/trouble":         {never: slices.Concat(natsPackages, sqlPackages, httpPackages)},
	"schema/durations":       {never: slices.Concat(natsPackages, sqlPackages, httpPackages)},
	"schema/state":           {uses: []string{"schema/durations", "schema/filecheck", "schema/trouble"}, never: slices.Concat(natsPackages, sqlPackages, httpPackages)},
	"schema/metric/generate": {uses: []string{"schema/metric"}},

	"producer": {uses: []string{"producer/bpf", "producer/cgroup", "producer/events", "producer/gpu", "producer/jobs", "producer/lifecycle", "producer/oom", "producer/procfs",
		"producer/publish", "producer/sampler", "producer/scrub", "producer/syscalls", "schema", "schema/durations", "schema/trouble"}, never: sqlPackages},
	"producer/sampler": {uses: []string{"producer/gpu", "producer/jobs", "producer/lifecycle", "producer/procfs", "producer/scrub", "schema"},
		never: slices.Concat(natsPackages, sqlPackages)},
	"producer/events": {uses: []string{"producer/jobs", "producer/lifecycle", "producer/oom", "producer/procfs", "producer/scrub", "schema"},
		never: slices.Concat(natsPackages, sqlPackages)},
	"producer/jobs":          {uses: []string{"producer/procfs", "producer/scrub", "schema", "schema/trouble"}, never: sqlPackages},
	"producer/publish":       {uses: []string{"producer/publish/spool", "schema", "schema/durations", "schema/filecheck", "schema/lockfile", "schema/trouble"}, never: sqlPackages},
	"producer/publish/spool": {uses: []string{"schema", "schema/filecheck", "schema/lockfile"}, never: slices.Concat(natsPackages, sqlPackages, httpPackages), clock: true},
	"producer/run": {uses: []string{"producer/events", "producer/jobs", "producer/lifecycle", "producer/oom", "producer/procfs", "producer/publish",
		"producer/scrub", "schema", "schema/trouble"}, never: sqlPackages},
	"producer/simulate":          {uses: []string{"producer/publish", "schema"}, never: sqlPackages},
	"producer/syscalls":          {uses: []string{"producer/bpf", "schema"}, never: sqlPackages},
	"producer/lifecycle":         {uses: []string{"producer/bpf", "producer/lifecycle/netlink", "schema"}, never: slices.Concat(natsPackages, sqlPackages)},
	"producer/lifecycle/netlink": {never: slices.Concat(natsPackages, sqlPackages)},
	"producer/cgroup":            {never: slices.Concat(natsPackages, sqlPackages, httpPackages), clock: true},
	"producer/oom":               {uses: []string{"schema"}, never: slices.Concat(natsPackages, sqlPackages)},
	"producer/gpu":               {uses: []string{"schema"}, never: slices.Concat(natsPackages, sqlPackages)},
	"producer/bpf":               {uses: []string{"producer/procfs", "schema"}, never: slices.Concat(natsPackages, sqlPackages)},
	"producer/procfs":            {never: slices.Concat(natsPackages, sqlPackages)},
	"producer/scrub":             {never: slices.Concat(natsPackages, sqlPackages), clock: true},

	"embedded-nats":         {uses: []string{"embedded-nats/block", "schema", "schema/filecheck", "schema/lockfile", "schema/trouble"}, never: sqlPackages},
	"embedded-nats/logtest": {uses: []string{"embedded-nats", "schema"}, never: slices.Concat(sqlPackages, httpPackages), tests: true},
	"embedded-nats/block":   {never: slices.Concat(sqlPackages, httpPackages), clock: true},

	"projector":          {uses: []string{"projector/anomaly", "projector/episodes", "projector/fold", "projector/ndjson", "projector/retention", "projector/runs", "projector/store", "schema", "schema/durations", "schema/filecheck", "schema/lockfile", "schema/proof", "schema/trouble"}},
	"projector/anomaly":  {uses: []string{"schema", "schema/wire"}, never: slices.Concat(natsPackages, sqlPackages, httpPackages), clock: true},
	"projector/episodes": {uses: []string{"projector/store", "schema"}, never: httpPackages},
	"projector/notify":   {uses: []string{"schema", "schema/filecheck", "schema/lockfile", "schema/trouble"}, never: sqlPackages},
	"projector/fold": {uses: []string{"projector/anomaly", "projector/store", "schema"}, // of store the types of rows alone
		never: slices.Concat(natsPackages, sqlPackages, httpPackages), clock: true},
	"projector/retention": {uses: []string{"projector/ndjson", "projector/store", "schema", "schema/lockfile", "schema/trouble"}, never: httpPackages},
	"projector/runs":      {uses: []string{"schema"}, never: httpPackages},
	"projector/store":     {uses: []string{"projector/ndjson", "schema", "schema/filecheck", "schema/lockfile", "schema/proof"}, never: slices.Concat(natsPackages, httpPackages)},
	"projector/ndjson":    {uses: []string{"schema", "schema/filecheck", "schema/lockfile"}, never: slices.Concat(natsPackages, sqlPackages, httpPackages)},

	"query":            {uses: []string{"query/union", "schema", "schema/filecheck", "schema/lockfile", "schema/proof"}, never: httpPackages},
	"query/term":       {never: slices.Concat(natsPackages, sqlPackages, httpPackages)},
	"query/doctor":     {uses: []string{"schema", "schema/filecheck"}, never: slices.Concat(natsPackages, sqlPackages, httpPackages)},
	"query/health":     {uses: []string{"query", "schema", "schema/durations", "schema/state", "schema/trouble"}, never: httpPackages},
	"query/report":     {uses: []string{"query", "query/term", "schema"}, never: httpPackages},
	"query/why":        {uses: []string{"query", "query/term", "schema"}, never: httpPackages},
	"query/union":      {uses: []string{"schema"}, never: slices.Concat(natsPackages, httpPackages), clock: true},
	"query/compare":    {uses: []string{"query", "query/stats", "query/term", "schema"}, never: httpPackages},
	"query/stats":      {never: slices.Concat(natsPackages, sqlPackages, httpPackages), clock: true},
	"query/estimate":   {uses: []string{"query", "query/term", "schema"}, never: httpPackages},
	"query/verify":     {uses: []string{"query", "schema", "schema/lockfile", "schema/proof"}, never: httpPackages},
	"query/correlate":  {uses: []string{"query", "query/stats", "query/term"}, never: httpPackages},
	"query/live":       {uses: []string{"query", "schema"}, never: httpPackages},
	"query/export":     {uses: overQuery, never: httpPackages},
	"query/top":        {uses: overQuery, never: httpPackages},
	"query/web":        {uses: append([]string{"query/health", "query/remote/row", "schema/durations", "schema/filecheck"}, overQuery...)},
	"query/remote":     {uses: []string{"query", "query/health", "query/remote/row", "schema/filecheck"}, never: natsPackages},
	"query/remote/row": {never: slices.Concat(natsPackages, sqlPackages, httpPackages), clock: true},
	"query/mcp":        {uses: overQuery},
	"query/bundle":     {uses: []string{"query", "schema", "schema/filecheck"}, never: slices.Concat(natsPackages, httpPackages)},

	"cmd/proctape": {uses: []string{"schema/...", "producer/...", "embedded-nats", "projector", "projector/anomaly", "projector/notify", "projector/retention", "query/..."}},

	// It reads a program from outside.
	"deploy/packages/sbom":  {},
	"deploy/tools/bill":     {},
	"deploy/tools/manifest": {},

	// The benchmarks measure the program, not its packages.
	"bench/structure":     {},
	"bench/wire":          {uses: []string{"schema", "producer/simulate"}},
	"bench/cmd/structure": {uses: []string{"bench/structure"}},
	"bench/cmd/accuracy":  {},
	"bench/cmd/bench":     {},
	"bench/cmd/inserts":   {},
	"bench/cmd/load":      {},
	"bench/cmd/plot":      {},
	"bench/cmd/trouble":   {},
}

// overQuery is what export, top, web and mcp may use: the library and its rooms, never each other.
var overQuery = []string{"query", "query/compare", "query/correlate", "query/estimate", "query/live", "query/report", "query/term", "query/verify", "query/why", "schema"}

// oldArrows are arrows that the policy does not want and the code still has. It fails when one of them is gone, until its
// row is taken out.
var oldArrows = map[[2]string]bool{}

// everywhere are packages that no code but a test's may use, by the beginning of their path.
var everywhere = []string{"testing", msgpackLibrary}

// msgpackLibrary is used by schema/wire alone, which keeps lengths that were read from its allocations.
const msgpackLibrary = "github.com/vmihailenco/"

// mayImport returns why a package may not import another, or nothing.
func mayImport(from, imported string) string {
	r, known := rooms[from]
	if !known {
		return fmt.Sprintf("%s is not in the table: add it to rooms in integration_test/imports_test.go, with what it may use", from)
	}
	to, ours := strings.CutPrefix(imported, module)
	if !ours {
		for _, no := range slices.Concat(r.never, everywhere) {
			if strings.HasPrefix(imported, no) && !(from == "schema/wire" && no == msgpackLibrary) && !(r.tests && no == "testing") {
				return fmt.Sprintf("%s may not import %s", from, imported)
			}
		}
		return ""
	}
	if rooms[to].tests {
		return fmt.Sprintf("%s may not import %s: it serves tests", from, to)
	}
	if to == "schema/metric" && (from == "schema" || slices.Contains(r.uses, "schema")) {
		return "" // the table of metrics is a part of what schema says
	}
	for _, allowed := range r.uses {
		above, below := strings.CutSuffix(allowed, "/...")
		if to == above || below && strings.HasPrefix(to, above+"/") {
			return ""
		}
	}
	return fmt.Sprintf("%s may not import %s: it may use %v", from, to, r.uses)
}

// readsClock returns the calls by which a file asks what time it is.
func readsClock(f *ast.File) []string {
	var found []string
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := sel.X.(*ast.Ident)
		name := sel.Sel.Name
		asks := ok && pkg.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc"}, name)
		if asks || ok && pkg.Name == "unix" && name == "ClockGettime" {
			found = append(found, pkg.Name+"."+name)
		}
		return true
	})
	return found
}

// TestImports_PointOneWay reads the imports itself: what a child process reads, the test cache does not see.
func TestImports_PointOneWay(t *testing.T) {
	long(t)
	t.Parallel()
	seen, met := 0, map[[2]string]bool{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		seen++
		rel, err := filepath.Rel("..", file)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		from := path.Dir(filepath.ToSlash(rel))
		if clocks := readsClock(f); rooms[from].clock && len(clocks) > 0 {
			t.Errorf("%s asks what time it is, by %v: pass it the time", rel, clocks)
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			arrow := [2]string{from, strings.TrimPrefix(imported, module)}
			if oldArrows[arrow] {
				met[arrow] = true
			} else if problem := mayImport(from, imported); problem != "" {
				t.Errorf("%s: %s", rel, problem)
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
	for arrow := range oldArrows {
		if !met[arrow] {
			t.Errorf("%s no longer imports %s: take the row out of oldArrows", arrow[0], arrow[1])
		}
	}
}

// TestImports_TableHasNoCircle holds the policy itself to what it is for.
func TestImports_TableHasNoCircle(t *testing.T) {
	t.Parallel()
	const onTheWay, done = 1, 2
	state := map[string]int{}
	var visit func(name string, way []string)
	visit = func(name string, way []string) {
		switch state[name] {
		case onTheWay:
			t.Errorf("the table allows a circle: %v", append(way, name))
			return
		case done:
			return
		}
		state[name] = onTheWay
		for _, to := range rooms[name].uses {
			if _, known := rooms[to]; !known && !strings.HasSuffix(to, "/...") {
				t.Errorf("%s may use %s, which is not in the table", name, to)
			}
			visit(to, append(way, name))
		}
		state[name] = done
	}
	for name := range rooms {
		visit(name, nil)
	}
}

// TestImports_PolicyCatches is the control: the imports that the policy exists to forbid are forbidden.
func TestImports_PolicyCatches(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"schema", module + "producer"}, // the parts
		{"producer", module + "projector"},
		{"projector", module + "query"},
		{"query", module + "projector/ndjson"},
		{"embedded-nats", module + "producer/procfs"},
		{"query", module + "cmd/proctape"},
		{"schema", "testing"},
		{"cmd/proctape", module + "embedded-nats/logtest"}, // for tests alone
		{"schema", "github.com/vmihailenco/msgpack/v5"},
		{"projector/fold", "github.com/nats-io/nats.go/jetstream"}, // fold: pure
		{"projector/fold", "github.com/nats-io/nats.go"},
		{"projector/fold", "database/sql"},
		{"projector/fold", "modernc.org/sqlite"},
		{"projector/fold", module + "projector/ndjson"},
		{"projector/fold", module + "projector"},
		{"projector/store", module + "projector/fold"}, // store: no fold, no JetStream
		{"projector/store", module + "projector/retention"},
		{"projector/store", "github.com/nats-io/nats.go/jetstream"},
		{"projector/ndjson", module + "projector/store"}, // ndjson: no store
		{"projector/ndjson", "database/sql"},
		{"projector/retention", module + "projector/fold"},
		{"projector/retention", module + "projector"},
		{"query/report", module + "query/verify"}, // query's rooms: never each other
		{"query/verify", module + "query/report"},
		{"query/live", module + "query/why"},
		{"query/why", module + "query/compare"},
		{"query/compare", module + "query/report"},
		{"query", module + "query/report"}, // the library: none of its rooms
		{"query/top", module + "query/web"},
		{"query/web", module + "query/mcp"},
		{"query/mcp", module + "query/export"},
		{"query/export", module + "query/top"},
		{"query/report", module + "query/top"},
		{"producer/sampler", module + "producer"}, // producer's root: cmd's alone
		{"producer/run", module + "producer"},
		{"producer/publish", module + "producer/sampler"}, // publish: messages, not where they come from
		{"producer/publish", module + "producer/events"},
		{"producer/publish", module + "producer/jobs"},
		{"producer/sampler", module + "producer/events"},
		{"producer/sampler", "github.com/nats-io/nats.go"},
		{"producer/procfs", module + "producer/lifecycle"},
		{"producer/publish", "modernc.org/sqlite"},
		{"cmd/proctape", module + "projector/fold"}, // cmd: what a part offers, not what it is made of
		{"cmd/proctape", module + "projector/store"},
		{"bench/cmd/bench", module + "projector"},
		{"projector/novelty", "fmt"}, // in no table
	} {
		if mayImport(c[0], c[1]) == "" {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
	f, err := parser.ParseFile(token.NewFileSet(), "fold.go", "package fold\nimport \"time\"\nvar began = time.Now()\nvar took = time.Duration(1)\n", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := readsClock(f); !slices.Equal(got, []string{"time.Now"}) {
		t.Errorf("a clock that is read: %v", got)
	}
}
