package trouble

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

const document = "../../docs/trouble.md"

var update = flag.Bool("update", false, "write docs/trouble.md anew")

// docs/trouble.md is made from the table of kinds.
func TestKinds_Document(t *testing.T) {
	want := writeDocument(Kinds())
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/trouble.md is not what schema/trouble/kind.go says. Write it anew: go test ./schema/trouble -run TestKinds_Document -update")
	}
}

// The document names each kind twice, in a table and with what to do; each part's own kind says how it ends, and no other does.
func TestKinds_AreWhole(t *testing.T) {
	text, inside := writeDocument(Kinds()), true
	for _, k := range Kinds() {
		inside = inside && k.Kind != NoRecorder
		if k.Doc == "" || k.Remedy == "" || k.Level == Well || inside != (k.over != "") || strings.Count(text, "`"+string(k.Kind)+"`") < 2 {
			t.Errorf("%s is not described in full: %+v", k.Kind, k)
		}
	}
}

const introduction = `<!-- Written by go test ./schema/trouble -run TestKinds_Document -update from schema/trouble/kind.go. Do not edit it. -->
# Trouble

*Trouble* is what goes wrong now. What is missing because of it afterwards is a [gap](gaps.md).

` + "`proctape status`" + ` says in its first line how the recording is: **well**, **degraded** (it records, and something is missing, late or
about to be) or **standing** (something that records or projects does not go on), and why. ` + "`proctape status --check`" + ` prints this line alone:

| exit code | it means |
|---|---|
| 0 | well |
| 1 | degraded |
| 2 | standing |
| 3 | it cannot be known, as when there is no database or it may not be read, or the command was misused |

With ` + "`--json`" + ` each reason has its kind, its level, what it is about, since when it goes on, a text and its figures, such as
` + "`free_bytes` and `wanted_bytes`" + ` of a full disk.

A recorder has one line in its log when trouble begins, with the reason, and one when it ends, with how long it took and what it
cost. Trouble that follows from other trouble, as the projection from a full disk, has no line of its own meanwhile.
A recorder also writes every two seconds how it is into ` + "`monitor.db.state`" + ` beside its database, a file of 16 KiB that a full disk does not stop.

SIGHUP has a recorder that a service manager started read its file of settings and its certificate again; it says what it took over and
what needs a restart. Without a service manager SIGHUP stops it in order, as SIGTERM does.

The garbage collector keeps below 512 MiB, and below half of what the control group or the machine has if that is less; ` + "`up`" + ` and
` + "`status`" + ` say which. Queues, read-ahead and page caches follow. 128 MiB are enough to record, and 256 MiB to replay.

`

func writeDocument(kinds []Info) string {
	var b strings.Builder
	b.WriteString(introduction)
	for _, part := range []struct {
		title string
		own   bool
	}{{"What a recorder tells of itself", true}, {"What is seen from outside", false}} {
		fmt.Fprintf(&b, "## %s\n\n| kind | level | what it means | what is said at its end |\n|---|---|---|---|\n", part.title)
		for _, k := range kinds {
			if (k.over != "") == part.own {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Kind, k.Level, k.Doc, cmp.Or(k.over, "–"))
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("## What to do\n\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "- `%s`: %s\n", k.Kind, k.Remedy)
	}
	return b.String()
}
