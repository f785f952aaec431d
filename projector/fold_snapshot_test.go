package projector

import (
	"strings"
	"testing"
)

// Many hosts have a pid, and a host has it again and again: what a process used before is found by its start too.
func TestFold_CPUBeforeIsALookup(t *testing.T) {
	p := newTape(t, -1)
	var plan string
	for _, row := range p.rows(`EXPLAIN QUERY PLAN ` + strings.ReplaceAll(cpuBeforeQuery, "?", "1")) {
		plan += row + "\n"
	}
	if want := "processes_by_pid (pid=? AND start_ticks=?)"; !strings.Contains(plan, want) {
		t.Errorf("plan is\n%swant %s", plan, want)
	}
}
