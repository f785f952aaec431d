package bundle

import (
	"slices"
	"testing"

	"github.com/proctape/proctape/schema"
)

// TestTables_AreInABundle holds the list of what is copied against all tables that there are.
func TestTables_AreInABundle(t *testing.T) {
	var names []string
	for _, c := range copied {
		names = append(names, c.table)
	}
	for _, table := range schema.Tables() {
		in, out := slices.Contains(names, table.Name), slices.Contains(leftOut, table.Name)
		if !table.View && in == out {
			t.Errorf("table %s: add it to copied, or to leftOut with the reason there", table.Name)
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == table.Name })
		if table.View {
			continue
		}
		for _, c := range table.Columns {
			hides := slices.ContainsFunc(hidden[:], func(h struct {
				table, column string
				token         func(*tokens, string) string
			}) bool {
				return h.table == table.Name && h.column == c.Name
			})
			if slices.Contains([]string{"command", "cgroup", "program"}, c.Name) && !hides {
				t.Errorf("%s.%s: tokens do not replace it", table.Name, c.Name)
			}
		}
	}
	if len(names) > 0 {
		t.Errorf("%v are copied, and are no tables", names)
	}
}

func TestTokens(t *testing.T) {
	one, other := &tokens{[]byte("one")}, &tokens{[]byte("other")}
	program := one.program("make")
	for line, want := range map[string]string{"": "", "make": program, "/usr/bin/make": program, "make: worker": program + " " + one.token("a", "worker"),
		"/usr/bin/make -j8": program + " " + one.token("a", "-j8"), "[kworker/0:1 events]": one.program("[kworker/0:1 events]")} {
		if got := one.command(line); got != want {
			t.Errorf("%q is %q, want %q", line, got, want)
		}
	}
	if one.command("make -j8") == one.command("make -j9") || one.command("make") == other.command("make") || one.path("/a/b") == one.path("/a/c") {
		t.Error("tokens of different texts or keys are the same")
	}
	if got := one.path("/a/b"); got != "/"+one.token("g", "a")+"/"+one.token("g", "b") {
		t.Errorf("the path /a/b is %q", got)
	}
}
