package filecheck

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	data = "way/data"      // a folder of ours
	file = "way/data/file" // and what is in it
)

// bed makes a folder with a folder of ours, a file and a folder in it, and changes it by a script.
func bed(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"way", data, data + "/tree", "elsewhere"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{file, data + "/tree/1.blk", "elsewhere/file"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/bin/sh", "-ec", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", script, err, out)
	}
	return dir
}

// Each thing that is wrong is refused, and the command that the error names mends it.
func TestRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: it needs root, to give files to others")
	}
	folder := func(dir string) error { return Folder(filepath.Join(dir, data)) }
	way := func(dir string) error { return Way(filepath.Join(dir, file)) }
	alone := func(dir string) error { return File(filepath.Join(dir, file)) }
	secret := func(dir string) error { return Secret(filepath.Join(dir, file)) }
	tree := func(dir string) error { return Tree(filepath.Join(dir, data+"/tree")) }
	tests := map[string]struct {
		script string
		check  func(dir string) error
		want   string // of the error
	}{
		"another's folder":               {"chown 65534 way/data", folder, "way/data belongs to another user (uid 65534)"},
		"in a folder of another":         {"chown 65534 way", folder, "way belongs to another user"},
		"everybody's folder":             {"chmod 777 way/data", folder, "way/data may be written to by others (mode 0777)"},
		"everybody's, but sticky":        {"chmod 1777 way/data", folder, "way/data may be written to by others (mode 1777)"},
		"a group's folder":               {"chmod 770 way/data", folder, "way/data may be written to by others"},
		"in everybody's":                 {"chmod 777 way", folder, "way may be written to by others"},
		"in a group's":                   {"chmod 775 way", folder, "way may be written to by others"},
		"a group's by a list":            {"command -v setfacl && setfacl -m g:65534:rwx way || chmod 775 way", folder, "way may be written to by others"},
		"over a link of another":         {"mv way real; ln -s real way; chown -h 65534 way", folder, "way belongs to another user"},
		"over a link into another's":     {"mv way elsewhere/real; ln -s elsewhere/real way; chown 65534 elsewhere", folder, "elsewhere belongs to another user"},
		"the way to a file":              {"chown 65534 way/data", way, "way/data belongs to another user"},
		"the way to a file, everybody's": {"chmod 777 way/data", way, "way/data may be written to"},
		"a link":                         {"ln -sf ../../elsewhere/file way/data/file", alone, "file is a symbolic link"},
		"a link to nothing":              {"ln -sf nowhere way/data/file", alone, "file is a symbolic link"},
		"a hard link":                    {"ln -f elsewhere/file way/data/file", alone, "file is a file with another name elsewhere"},
		"a pipe":                         {"rm way/data/file; mkfifo way/data/file", alone, "file is a pipe, a socket or a device"},
		"a device":                       {"rm way/data/file; mknod way/data/file c 1 3", alone, "file is a pipe, a socket or a device"},
		"a folder for a file":            {"rm way/data/file; mkdir way/data/file", alone, "file is a folder"},
		"a file of another":              {"chown 65534 way/data/file", alone, "file belongs to another user"},
		"everybody's file":               {"chmod 666 way/data/file", alone, "file may be written to by others (mode 0666)"},
		"a group's file":                 {"chmod 660 way/data/file", alone, "file may be written to by others"},
		"a secret that all may read":     {"chmod 644 way/data/file", secret, "file is a secret that others may read (mode 0644)"},
		"a secret that a group may":      {"chmod 640 way/data/file", secret, "file is a secret that others may read"},
		"a secret that all may write":    {"chmod 666 way/data/file", secret, "file is a secret that others may read (mode 0666)"},
		"a secret of another":            {"chown 65534 way/data/file", secret, "file belongs to another user"},
		"a link in a tree":               {"ln -sf ../../elsewhere way/data/tree/2.blk", tree, "2.blk is a symbolic link"},
		"a link for a tree":              {"mv way/data/tree elsewhere/; ln -s ../../elsewhere/tree way/data/tree", tree, "tree is a symbolic link"},
		"a hard link in a tree":          {"ln elsewhere/file way/data/tree/2.blk", tree, "2.blk is a file with another name"},
		"another's folder in a tree":     {"mkdir way/data/tree/msgs; chown 65534 way/data/tree/msgs", tree, "msgs belongs to another user"},
		"everybody's folder in a tree":   {"mkdir -m 777 way/data/tree/msgs", tree, "msgs may be written to by others"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := tt.check(bed(t, "true")); err != nil {
				t.Fatalf("the control: got %v of a place that is well", err)
			}
			dir := bed(t, tt.script)
			err := tt.check(dir)
			var bad *Error
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, fs.ErrPermission) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if out, err := exec.Command("/bin/sh", "-ec", bad.Mend).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", bad.Mend, err, out)
			}
			if err := tt.check(dir); err != nil {
				t.Errorf("after %s: %v", bad.Mend, err)
			}
		})
	}
}

// What is usual is accepted.
func TestAccepted(t *testing.T) {
	for name, script := range map[string]string{
		"as it is":           "true",
		"nothing there":      "rm -r way",
		"nothing in it":      "rm -r way/data/*",
		"in a sticky folder": "chmod 1777 way",
		"over a link":        "mv way real; ln -s real way",
		"a readable folder":  "chmod 755 way way/data",
	} {
		dir := bed(t, script)
		err := errors.Join(Folder(filepath.Join(dir, data)), Way(filepath.Join(dir, file)), File(filepath.Join(dir, file)),
			Secret(filepath.Join(dir, file)), Tree(filepath.Join(dir, data+"/tree")))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFolder_LinksThatNeverEnd(t *testing.T) {
	dir := bed(t, "rm -r way; ln -s way way")
	if err := Folder(filepath.Join(dir, data)); !errors.Is(err, unix.ELOOP) {
		t.Errorf("got %v, want ELOOP", err)
	}
	if err := Folder(filepath.Join(bed(t, "true"), file)); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("a file: got %v, want ENOTDIR", err)
	}
}

// A read never waits, and never takes more than it should.
func TestRead(t *testing.T) {
	dir := bed(t, "mkfifo pipe; truncate -s 1000G huge")
	for path, want := range map[string]string{
		"pipe": "is a pipe, not a file", "way": "is a folder, not a file", "huge": "is larger than 4 bytes", "none": "no such file",
		"/dev/zero": "is a device, not a file", "/dev/null": "is a device, not a file", "/dev/tty": "",
	} {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if b, err := Read(path, 4); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, %v, want %s", path, b, err, want)
		}
	}
	if b, err := Read(filepath.Join(dir, file), 4); string(b) != "x" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"/a/b-1.c": "/a/b-1.c", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "-x": "'-x'", "$(x)": "'$(x)'"} {
		if got := quote(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
