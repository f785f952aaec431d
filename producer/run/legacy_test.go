package run

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// legacyDir is where a command's group of a controller of version 1 is found on this machine; it skips the test where there is none.
func legacyDir(t *testing.T, controller string) string {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	dir, ok := legacyGroup(string(own), string(mounts), controller)
	if !ok || unix.Access(dir, unix.W_OK) != nil {
		t.Skipf("SKIPPED: no group of controller %s of version 1 may be made here", controller)
	}
	return dir
}

// Where version 1 has the memory controller, the most memory of a command and its descendants together is known, what this program has does not
// count, and no group stays.
func TestWait_LegacyGroups(t *testing.T) {
	t.Parallel()
	dir := legacyDir(t, "memory")
	const size = 64 << 10 // KiB, of each of two at one time
	r := runOne(t, Config{Cgroup: "legacy", Args: sh("f() { head -c 64M /dev/zero | tail -c 64M >/dev/null; }; f & f; wait")}).Result
	if got := r.PeakMemoryKiB; !got.Known || got.V < size || got.V > 4*size {
		t.Errorf("got a peak of %v KiB, want about %d", got, 2*size)
	}
	if got := r.CgroupCPU; !got.Known || (got.V.Total()-r.WaitedCPU.Total()).Abs() > 20*time.Millisecond {
		t.Errorf("the group says %+v, wait4 %+v", got, r.WaitedCPU)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "proctape-legacy-*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
	// The control: a command without a group has no such figure, and a small one has little of it.
	if r := runOne(t, Config{Args: []string{"true"}}).Result; r.PeakMemoryKiB.Known {
		t.Errorf("without a group: got %v", r.PeakMemoryKiB)
	}
	if r := runOne(t, Config{Cgroup: "legacy", Args: []string{"true"}}).Result; !r.PeakMemoryKiB.Known || r.PeakMemoryKiB.V > size/4 {
		t.Errorf("true had %v KiB, want little: what we have is not its own", r.PeakMemoryKiB)
	}
}

// Fixtures of both versions, as kernels write them.
func TestGroupUsage(t *testing.T) {
	t.Parallel()
	tree := func(files map[string]string) string {
		dir := t.TempDir()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	second := &leaf{dir: tree(map[string]string{"cpu.stat": "usage_usec 2500\nuser_usec 2000\nsystem_usec 500\nnr_periods 0\n", "memory.peak": "10485760\n",
		"io.stat": "8:0 rbytes=4096 wbytes=1048576 rios=1 wios=9 dbytes=0 dios=0\n253:0 rbytes=8192 wbytes=0 rios=2 wios=0 dbytes=0 dios=0\n", "pids.peak": "17\n"})}
	if got, want := second.usage(), (groupUsage{schema.Some(CPU{User: 2 * time.Millisecond, System: 500 * time.Microsecond}), schema.Some[uint64](10240),
		schema.Some(IO{12, 1024}), schema.Some[uint64](17)}); got != want {
		t.Errorf("version 2: got %+v, want %+v", got, want)
	}
	if got := (&leaf{dir: tree(nil)}).usage(); got != (groupUsage{}) {
		t.Errorf("version 2 without files: got %+v", got)
	}
	first := &legacy{leaves: map[string]string{
		"cpuacct": tree(map[string]string{"cpuacct.usage": "3000000\n", "cpuacct.usage_user": "2000000\n", "cpuacct.usage_sys": "1000000\n"}),
		"memory":  tree(map[string]string{"memory.max_usage_in_bytes": "20971520\n"}),
		"blkio": tree(map[string]string{"blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 0\n8:0 Async 12288\n8:0 Discard 0\n" +
			"8:0 Total 12288\nTotal 12288\n"}),
	}}
	want := groupUsage{cpu: schema.Some(CPU{User: 2 * time.Millisecond, System: time.Millisecond}), peakKiB: schema.Some[uint64](20480), io: schema.Some(IO{4, 8})}
	var got groupUsage
	if first.add(&got); got != want {
		t.Errorf("version 1: got %+v, want %+v", got, want)
	}
	known := second.usage()
	if first.add(&known); known != second.usage() {
		t.Errorf("both: got %+v, want those of version 2", known)
	}
	bare := &legacy{leaves: map[string]string{"cpuacct": tree(map[string]string{"cpuacct.usage": "5000\n"}), "memory": tree(nil),
		"blkio": tree(map[string]string{"blkio.throttle.io_service_bytes": "Total 0\n"})}}
	got = groupUsage{}
	if bare.add(&got); got != (groupUsage{cpu: schema.Some(CPU{Whole: 5 * time.Microsecond})}) {
		t.Errorf("version 1 of few files: got %+v", got)
	}
}

// The groups of version 1 are found by their controllers, also where several are one hierarchy and below what a container shows.
func TestLegacyGroup(t *testing.T) {
	t.Parallel()
	const own = "9:name=systemd:/\n4:memory:/api/x\n2:cpu,cpuacct:/docker/ab/c\n0::/\n"
	const mounts = "30 23 0:26 / /sys/fs/cgroup/memory rw shared:1 - cgroup cgroup rw,memory\n31 23 0:27 /docker/ab /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
		"32 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	for controller, want := range map[string]string{"memory": "/sys/fs/cgroup/memory/api/x", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct/c", "blkio": "", "acct": ""} {
		if got, _ := legacyGroup(own, mounts, controller); got != want {
			t.Errorf("%s: got %q, want %q", controller, got, want)
		}
	}
}
