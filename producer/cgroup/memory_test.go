package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

// tree makes files below a new root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const (
	unified = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	legacy  = "30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)

func TestMemory_Read(t *testing.T) {
	for name, c := range map[string]struct {
		files       map[string]string
		limit, used int64
		ok          bool
	}{
		"its own group": {map[string]string{"proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": unified, "sys/fs/cgroup/a/b/memory.max": "1048576\n",
			"sys/fs/cgroup/a/b/memory.current": "524288\n", "sys/fs/cgroup/a/b/memory.stat": "anon 1\ninactive_file 262144\nactive_file 7\n"}, 1024, 256, true},
		"the one above is nearer": {map[string]string{"proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": unified, "sys/fs/cgroup/a/b/memory.max": "1048576\n",
			"sys/fs/cgroup/a/b/memory.current": "4096\n", "sys/fs/cgroup/a/memory.max": "2097152\n", "sys/fs/cgroup/a/memory.current": "1048576\n"}, 2048, 1024, true},
		"no limit": {map[string]string{"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": unified, "sys/fs/cgroup/a/memory.max": "max\n", "sys/fs/cgroup/a/memory.current": "4096\n"}, 0, 0, false},
		"version 1": {map[string]string{"proc/self/cgroup": "4:memory:/x\n", "proc/self/mountinfo": legacy, "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "2048\n",
			"sys/fs/cgroup/memory/x/memory.usage_in_bytes": "2048\n", "sys/fs/cgroup/memory/x/memory.stat": "total_inactive_file 1024\n"}, 2, 1, true},
		"what it has is not told": {map[string]string{"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": unified, "sys/fs/cgroup/a/memory.max": "4096\n"}, 0, 0, false},
		"no groups":               {map[string]string{}, 0, 0, false},
	} {
		limit, used, ok := Open(tree(t, c.files)).Read()
		if limit != c.limit || used != c.used || ok != c.ok {
			t.Errorf("%s: got %d of %d, %v; want %d of %d, %v", name, used, limit, ok, c.used, c.limit, c.ok)
		}
	}
}
