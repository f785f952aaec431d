package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

// Figures whose sums stopped are shown as lower bounds, and others are not.
func TestPrintProfile_AtLeast(t *testing.T) {
	show := func(keys ...string) string {
		var out strings.Builder
		cmd := new(cobra.Command)
		cmd.SetOut(&out)
		p := &query.Profile{JobID: "night", CPUSeconds: 2.5, AtLeast: keys, Sheets: map[int64]query.Sheet{1: {CPUSeconds: 2.5, AtLeast: keys}}}
		if err := printProfile(cmd, p, "", new(query.Best)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if text := show("total_cpu_seconds"); strings.Count(text, "at least 2.50") != 2 {
		t.Errorf("got\n%s, want two lower bounds", text)
	}
	if text := show(); strings.Contains(text, "at least") {
		t.Errorf("got\n%s, want no lower bound", text)
	}
}
