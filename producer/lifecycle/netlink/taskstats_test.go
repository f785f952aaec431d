package netlink

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func (s *Taskstats) readUntil(t testing.TB, pid int) Record {
	t.Helper()
	var records []Record
	for deadline := time.Now().Add(within); ; {
		var err error
		if records, _, err = s.Read(records, 1<<20); err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(records, func(r Record) bool { return r.PID == pid }); i >= 0 {
			return records[i]
		}
		if time.Now().After(deadline) {
			t.Fatalf("no record of %d within %s; %d of others", pid, within, len(records))
		}
	}
}

func TestTaskstats_Record(t *testing.T) {
	s := openTaskstats(t, 0)
	began := time.Now()
	cmd := exec.Command("/bin/sh", "-c", `i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exit 7`)
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	pid := cmd.ProcessState.Pid()
	r := s.readUntil(t, pid)

	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if off := (r.CPU - used).Abs(); off > used/2 { // it is sampled by the tick, and rusage is scaled
		t.Errorf("got CPU %s, want about %s", r.CPU, used)
	}
	if r.Life <= r.CPU/2 || r.Life > took {
		t.Errorf("got a life of %s, want at most %s", r.Life, took)
	}
	if r.PeakRSS < 100 || r.PeakRSS > 100<<10 {
		t.Errorf("got peak RSS %d KiB, want that of a shell", r.PeakRSS)
	}
	if r.System < 0 || r.System > r.CPU {
		t.Errorf("got %s in the kernel, of %s", r.System, r.CPU)
	}
	r.CPU, r.System, r.Life, r.PeakRSS, r.ReadBytes = 0, 0, 0, 0, 0
	want := Record{
		PID: pid, TGID: pid, ParentTGID: os.Getpid(), UID: uint32(os.Getuid()), Comm: "sh", Status: 7 << 8, Last: true,
	}
	if r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

func TestTaskstats_StorageWrites(t *testing.T) {
	file := t.TempDir() + "/file"
	var fs unix.Statfs_t
	if err := unix.Statfs(t.TempDir(), &fs); err != nil || fs.Type == unix.TMPFS_MAGIC {
		t.Skip("SKIPPED: temporary files are not on storage")
	}
	s := openTaskstats(t, 0)
	r := s.readUntil(t, run(t, "dd", "if=/dev/zero", "of="+file, "bs=4k", "count=100", "conv=fsync", "status=none"))
	if r.WriteBytes < 400<<10 || r.WriteBytes > 500<<10 {
		t.Errorf("got %d bytes written, want 400 KiB", r.WriteBytes)
	}
}

func TestTaskstats_ThreadIsNotTheLast(t *testing.T) {
	s := openTaskstats(t, 0)
	tids := make(chan int)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		if unix.Gettid() == os.Getpid() {
			runtime.UnlockOSThread()
			tids <- 0 // but not the first thread
			return
		}
		tids <- unix.Gettid()
	}()
	tid := <-tids
	if tid == 0 {
		t.Skip("SKIPPED: the goroutine was given the first thread")
	}
	if r := s.readUntil(t, tid); r.TGID != os.Getpid() || r.Last {
		t.Errorf("got %+v, want a thread of %d that is not the last", r, os.Getpid())
	}
}

func TestTaskstats_OverrunIsReported(t *testing.T) {
	s := openTaskstats(t, tiny)
	for range 100 {
		run(t, "/bin/true")
	}
	if _, overrun, err := s.Read(nil, 1<<20); !overrun || err != nil {
		t.Errorf("got %t, %v, want an overrun", overrun, err)
	}
	// It is told once, and records go on. Others' processes may fill the small buffer again.
	for deadline := time.Now().Add(within); ; {
		pid := run(t, "/bin/true")
		records, overrun, err := s.Read(nil, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if !overrun && slices.ContainsFunc(records, func(r Record) bool { return r.PID == pid }) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("records do not go on without an overrun")
		}
	}
}

func TestOpen_NoSuchFamily(t *testing.T) {
	s, err := open(unix.NETLINK_GENERIC, 0, 0, 1, recordBuffer)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := s.resolveFamily("PROCTAPE"); err != unix.ENOENT {
		t.Errorf("got %v, want ENOENT", err)
	}
}
