package producer

import (
	"slices"
	"testing"

	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/schema"
)

// Every source is tried, and the best that works is the one that a sampler opens.
func TestTry_ThisUser(t *testing.T) {
	caps, err := Try(Config{BPF: bpf.Auto})
	if err != nil {
		t.Fatal(err)
	}
	best := lifecycle.SourceKind("")
	for _, kind := range lifecycle.SourceKinds {
		i := slices.IndexFunc(caps, func(c Capability) bool { return c.Name == kind.Capability() })
		if i < 0 {
			t.Errorf("%s was not tried", kind)
			continue
		}
		c := caps[i]
		if best == "" && c.Have {
			best = kind
		}
		if c.Detail == "" || !c.Have && c.Grant == "" || c.Have && c.Grant != "" || c.Quiet != ((best != "" || kind == lifecycle.KindBPF) && !c.Have) {
			t.Errorf("%s: got %+v, best %s", kind, c, best)
		}
	}
	nobody := func(int) (lifecycle.Description, bool) { return lifecycle.Description{}, false }
	source, _, err := lifecycle.Open(lifecycle.Config{Describe: nobody, Command: func(comm string, _ []string) string { return comm }}, lifecycle.SourceKinds)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if source.Kind() != best {
		t.Errorf("the best that was tried is %s, and a sampler opens %s", best, source.Kind())
	}
	for _, name := range []schema.Capability{schema.CapProcesses, schema.CapIO, schema.CapPSI, schema.CapOOM, schema.CapGPU} {
		if !slices.ContainsFunc(caps, func(c Capability) bool { return c.Name == name }) {
			t.Errorf("%s was not tried", name)
		}
	}
}

// A machine of which nothing can be seen has no source that works but the scan.
func TestTry_NothingToSee(t *testing.T) {
	caps, err := Try(Config{Root: t.TempDir(), Events: []lifecycle.SourceKind{lifecycle.KindPidfd, lifecycle.KindDiff}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range caps {
		switch c.Name {
		case schema.CapProcesses, schema.CapPSI, schema.CapEventsPidfd:
			if c.Have || c.Grant == "" {
				t.Errorf("%s in an empty folder: got %+v", c.Name, c)
			}
		}
	}
}
