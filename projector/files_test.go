package projector

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/projector/ndjson"
)

// damage cuts the file of snapshots at a place as drawn, or removes it.
func damage(t *rapid.T, p *tape) {
	path := filepath.Join(p.dir, ndjson.SnapshotsFile)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if rapid.IntRange(0, 3).Draw(t, "removed") == 0 {
		err = os.Remove(path)
	} else {
		err = os.Truncate(path, rapid.Int64Range(0, info.Size()).Draw(t, "cut at"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func checkRewrite(t *testing.T, s story) {
	checkSome(t, func(r *rapid.T) {
		told := s.tell(seeded(rapid.Uint64().Draw(r, "story")), rapid.IntRange(1, 40).Draw(r, "messages"))
		p := newTape(t, 0)
		defer p.close()
		p.fold(told...)
		want := p.files()
		p.close()
		damage(r, p)
		p.open()
		if d := diffFiles(p.files(), want); d != "" {
			r.Fatal(d)
		}
		// What was written again is booked as what was there.
		p.reopen()
		if d := diffFiles(p.files(), want); d != "" {
			r.Fatalf("opened once more: %s", d)
		}
	})
}

// Lines of snapshots that are gone are made again of their rows, to the byte.
func TestOpenFiles_RewritesSnapshots(t *testing.T) { checkRewrite(t, story{poison: true}) }

// Events that are gone are not made up: a gap says how many there were.
func TestOpenFiles_LostEvents(t *testing.T) {
	p := newTape(t, 0)
	p.fold(story{}.tell(seeded(1), 30)...)
	lines := strings.Count(p.files()[ndjson.EventsFile], "\n")
	if lines == 0 {
		t.Fatal("the story has no events")
	}
	p.close()
	if err := os.Remove(filepath.Join(p.dir, ndjson.EventsFile)); err != nil {
		t.Fatal(err)
	}
	p.open()
	if !strings.Contains(p.log, "lines are missing") {
		t.Errorf("got the log %q, want a warning", p.log)
	}
	if got := p.value(`SELECT count(*) FROM gaps WHERE kind = 'lines_lost'`); got != 1 {
		t.Errorf("got %d gaps, want 1", got)
	}
	p.reopen()
	checkShape(t, p)
}

// A database that is new does not cut what another one's files hold.
func TestOpenFiles_OfAnotherDatabase(t *testing.T) {
	dir := fastDir(t)
	for _, name := range []string{ndjson.SnapshotsFile, ndjson.EventsFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("another's\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &tape{t: t, dir: dir}
	p.open()
	defer p.close()
	p.fold(story{}.tell(seeded(1), 10)...)
	files := p.files()
	for _, name := range []string{ndjson.SnapshotsFile, ndjson.EventsFile} {
		if got := files[name+".aside"]; got != "another's\n" {
			t.Errorf("%s: got %q aside, want what it held", name, got)
		}
		if strings.Contains(files[name], "another") {
			t.Errorf("%s still holds the other's lines", name)
		}
	}
}
