package producer

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

func TestProbe_ThisUser(t *testing.T) {
	fs := procfs.New("")
	defer fs.Close()
	caps := Probe(fs, scrub.Scrubbed)
	var names []schema.Capability
	for _, c := range caps {
		names = append(names, c.Name)
		if c.Detail == "" {
			t.Errorf("%s: no detail", c.Name)
		}
		if c.Have && c.Grant != "" {
			t.Errorf("%s: asks for %q though it is there", c.Name, c.Grant)
		}
		switch c.Name {
		case "io":
			if denied := ioDenied(t); c.Have == denied {
				t.Errorf("io: got %t, some denied: %t", c.Have, denied)
			}
		case "processes", "psi": // depends on the machine
		}
		if !c.Have && c.Grant == "" {
			t.Errorf("%s: does not say what to grant", c.Name)
		}
	}
	if want := []schema.Capability{"processes", "io", "psi", "argv-scrubbed"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

// ioDenied reports whether there is a process whose I/O this test may not read.
func ioDenied(t *testing.T) bool {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/io")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		_, err := os.ReadFile(file)
		return os.IsPermission(err)
	})
}

func TestProbe_NothingToSee(t *testing.T) {
	fs := procfs.New(t.TempDir())
	defer fs.Close()
	for _, c := range Probe(fs, scrub.None) {
		if (c.Name == "processes" || c.Name == "psi") && (c.Have || c.Grant == "") {
			t.Errorf("%s in an empty folder: got %+v", c.Name, c)
		}
	}
}

func TestProbe_NamesTheMode(t *testing.T) {
	fs := procfs.New("")
	defer fs.Close()
	details := map[string]bool{}
	for _, mode := range []scrub.Mode{scrub.Full, scrub.Scrubbed, scrub.None} {
		caps := Probe(fs, mode)
		i := slices.IndexFunc(caps, func(c Capability) bool { return string(c.Name) == "argv-"+string(mode) })
		if i < 0 || !caps[i].Have {
			t.Errorf("%s: got %+v, want argv-%s", mode, caps, mode)
			continue
		}
		details[caps[i].Detail] = true
	}
	if len(details) != 3 {
		t.Errorf("got details %v, want one for each mode", details)
	}
}

func TestPublishedCapabilities(t *testing.T) {
	tests := map[string]struct {
		caps []Capability
		want []schema.Capability
	}{
		"none":                        {nil, nil},
		"those that are there":        {[]Capability{{Name: "a", Have: true}, {Name: "b"}, {Name: "c", Have: true}}, []schema.Capability{"a", "c"}},
		"the source of events always": {[]Capability{{Name: "io"}, {Name: "events-proc-diff"}}, []schema.Capability{"events-proc-diff"}},
		"a better source of events":   {[]Capability{{Name: "events-connector", Have: true}}, []schema.Capability{"events-connector"}},
	}
	for name, tt := range tests {
		if got := publishedCapabilities(tt.caps); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}
