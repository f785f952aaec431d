package backup

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// What is written is read again; what was changed, cut, taken away or never finished is not.
func TestCheck(t *testing.T) {
	make := func() string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, Database), []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Sum(dir, Database)
		if err != nil {
			t.Fatal(err)
		}
		want := List{Made: time.Unix(1, 0).UTC(), By: "test", Files: []File{f}}
		if err := Finish(dir, want); err != nil {
			t.Fatal(err)
		}
		want.Version = version
		if got, err := Check(dir); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
		if err := Finish(dir, want); !errors.Is(err, os.ErrExist) {
			t.Errorf("a second list: got %v", err)
		}
		return dir
	}
	for name, c := range map[string]struct {
		damage func(dir string) error
		want   string
	}{
		"changed":      {func(dir string) error { return os.WriteFile(filepath.Join(dir, Database), []byte("Content"), 0o600) }, "is not as it was written"},
		"cut":          {func(dir string) error { return os.Truncate(filepath.Join(dir, Database), 3) }, "it has 3 bytes, and had 7"},
		"taken away":   {func(dir string) error { return os.Remove(filepath.Join(dir, Database)) }, "no such file"},
		"not finished": {func(dir string) error { return os.Remove(filepath.Join(dir, listName)) }, ErrUnfinished.Error()},
		"no list":      {func(dir string) error { return os.WriteFile(filepath.Join(dir, listName), []byte("{"), 0o600) }, "read "},
		"later": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, listName), []byte(`{"version":2}`), 0o600)
		}, "is of version 2"},
		"outside": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, listName), []byte(`{"version":1,"files":[{"name":"../x"}]}`), 0o600)
		}, "which is not in the folder"},
	} {
		dir := make()
		if err := c.damage(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := Check(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
