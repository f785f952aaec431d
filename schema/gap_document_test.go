package schema

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const gapDocument = "../docs/gaps.md"

// docs/gaps.md is made from the table of kinds.
func TestGapKinds_Document(t *testing.T) {
	want := writeGapDocument(GapKinds())
	if *update {
		if err := os.WriteFile(gapDocument, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(gapDocument)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/gaps.md is not what schema/gap_kind.go says. Write it anew: go test ./schema -run TestGapKinds_Document -update")
	}
}

func writeGapDocument(kinds []GapInfo) string {
	var b strings.Builder
	b.WriteString(`<!-- Written by go test ./schema -run TestGapKinds_Document -update from schema/gap_kind.go. Do not edit it. -->
# Gaps

A *gap* is something that is missing from the record, or a break in it. ` + "`proctape gaps`" + ` lists them. They are rows of the
table ` + "`gaps`" + `, and lines of ` + "`events.jsonl`" + ` with the event type ` + "`gap`" + `. Each has a kind, the time from which and to which it
reaches, and a count where one is known. A newer sampler may send kinds that are not listed here.

The sampler notices what the kernel tells it too fast. The projector notices what is missing between two messages, in a stream
or in a file. The log notices damage when it checks its own files ([damage.md](damage.md)).

| kind | what it means | who notices it | something is missing | what the count counts | what is not known in full meanwhile |
|---|---|---|---|---|---|
`)
	for _, k := range kinds {
		counts := k.Counts
		if counts == "" {
			counts = "–"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", k.Kind, k.Doc, k.Noticer, k.Loss, counts, k.Hides)
	}
	b.WriteString("\n## What to do\n\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "- `%s`: %s\n", k.Kind, k.Remedy)
	}
	return b.String()
}
