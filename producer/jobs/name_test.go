package jobs

import (
	"strings"
	"testing"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

const (
	secretName = "deploy token=q7Zp9LmX2vKd"
	maskedName = "deploy token=***"
)

// TestClaims_SecretNames checks that a job has one name without its secret, whichever claim names it.
func TestClaims_SecretNames(t *testing.T) {
	rule, err := ParseRule("cgroup:/runner/*=deploy $1")
	if err != nil {
		t.Fatal(err)
	}
	c := NewClaims(Naming{Rules: []Rule{rule}}, 2, nil)
	declared := &schema.JobEvent{Type: schema.JobDeclared, JobID: secretName, PID: schema.Some[int64](30), Status: "password=hunter2hunter2"}
	c.ApplyJobEvent(declared, 1)
	byCgroup := procfs.Process{PID: 20, PPID: 1, StartTicks: 5, Cgroup: "/runner/token=q7Zp9LmX2vKd"}
	c.Observe([]procfs.Process{processWithMarker(10, 1, 5, secretName), byCgroup, {PID: 30, PPID: 1, StartTicks: 5}})
	for _, pid := range []int{10, 20, 30} {
		if got := c.OwnerOf(pid, 5).Job; got != maskedName {
			t.Errorf("process %d: got job %q, want %q", pid, got, maskedName)
		}
	}
	progress := c.Progress()
	if len(progress) != 1 || progress[0].JobID != maskedName || progress[0].Status != "password=***" {
		t.Errorf("got %+v, want one job %s with the status password=***", progress, maskedName)
	}
	if declared.JobID != secretName {
		t.Errorf("the caller's event has become %q", declared.JobID)
	}
}

func TestName(t *testing.T) {
	long := strings.Repeat("x", schema.MaxName-5) + " pw=a"
	for _, name := range []string{secretName, "nightly", "build-7", "Übersicht", long} {
		once := Name(name)
		if again := Name(once); again != once || len(once) > schema.MaxName {
			t.Errorf("%q: got %q, then %q", name, once, again)
		}
	}
	if got := Name("nightly build-7"); got != "nightly build-7" {
		t.Errorf("got %q, want the name as it is", got)
	}
}

func TestScrubEvent(t *testing.T) {
	e := scrubEvent(&schema.JobEvent{JobID: secretName, Status: "token q7Zp9LmX2vKd", Command: "x --password hunter2hunter2", Details: "https://bob:hunter2hunter2@h/"})
	for _, text := range []string{e.JobID, e.Status, e.Command, e.Details} {
		if strings.Contains(text, "q7Zp9LmX2vKd") || strings.Contains(text, "hunter2hunter2") || !strings.Contains(text, "***") {
			t.Errorf("got %q", text)
		}
	}
}
