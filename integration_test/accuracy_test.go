package integration_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// dropsHundredth is a recorder that loses one exit in a hundred, and says nothing of it.
var dropsHundredth = withFault("drops-hundredth", "producer/events/watcher.go",
	`	for _, e := range told {
`, `	for _, e := range told {
		if runsAs("drops-hundredth") && e.Kind == schema.KindExit && e.Event.PID%100 == 0 {
			continue
		}
`)

// TestAccuracy_Storm runs the short form of make accuracy: what a recorder says of a storm of short processes is what the storm's parent
// knows, or it is said to be incomplete. The control loses exits silently.
func TestAccuracy_Storm(t *testing.T) {
	long(t)
	tool := filepath.Join(t.TempDir(), "accuracy")
	if err := build(tool, "../bench/cmd/accuracy", "CGO_ENABLED=0"); err != nil {
		t.Fatal(err)
	}
	compare := func(program, rungs string) (string, error) {
		out, err := exec.Command(tool, "-proctape", program, "-short", "-strict", "-rungs", rungs).CombinedOutput()
		return string(out), err
	}
	if table, err := compare(proctape, "root,user,pid-namespace"); err != nil || !strings.Contains(table, "met |") {
		t.Errorf("%v\n%s", err, table)
	}
	// Where the kernel lost records too, on a busy machine, it is told that exits are missing, and so nothing is silent: it is tried again.
	for tries := 1; ; tries++ {
		table, err := compare(dropsHundredth.program(t), "root")
		if err != nil && strings.Contains(table, "MISSED") {
			break
		}
		if tries == 5 || !strings.Contains(table, "exit_records_lost") {
			t.Fatalf("the control, which drops one exit in a hundred, is not caught: %v\n%s", err, table)
		}
	}
}
