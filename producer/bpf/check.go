package bpf

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/procfs"
)

// Refusal says why the programs are not used, and what to grant so that they can be.
type Refusal struct {
	Err   error
	Grant string
}

// Error is the reason, in one line: the kernel's verifier writes more.
func (r *Refusal) Error() string { return strings.ReplaceAll(r.Err.Error(), "\n", "; ") }

// Unwrap is the reason.
func (r *Refusal) Unwrap() error { return r.Err }

// errOtherProc says that /proc and the kernel's table do not speak of the same process.
var errOtherProc = errors.New("what the kernel's table says of this process is not what /proc says")

// refusal finds out what to grant after err.
func refusal(err error) *Refusal {
	grant := "run Linux 6.7 or later, with CONFIG_BPF_SYSCALL and CONFIG_DEBUG_INFO_BTF"
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		err = fmt.Errorf("the kernel refuses to load programs: %w", unix.EPERM) // the library guesses at another reason
		grant = "run as root, or with the capabilities CAP_BPF and CAP_PERFMON, in the host's user namespace; a kernel locked down for confidentiality allows it to nobody"
	case errors.Is(err, errOtherProc):
		grant = "run with the /proc of the sampler's own pid namespace, in the host's time namespace"
	}
	return &Refusal{err, grant}
}

// firstPIDNamespace is PROC_PID_INIT_INO of Linux include/linux/proc_ns.h.
const firstPIDNamespace = "pid:[4026531836]"

// inFirstNamespace says why programs that tell pids of the host are of no use here; nil: they are.
func inFirstNamespace() error {
	if id, err := os.Readlink("/proc/self/ns/pid"); err != nil || id != firstPIDNamespace {
		return &Refusal{fmt.Errorf("processes are told by the pids of the host, and this is %s: %w", id, errors.Join(err, errOtherProc)), "run in the host's pid namespace"}
	}
	return nil
}

// check compares what a scan of the kernel's table says of this process with what /proc does. Where the programs read at the wrong
// place, or /proc is that of another namespace, they differ.
func check(scan *procfs.Scan, fs *procfs.FS) error {
	file, err := fs.Process(os.Getpid(), procfs.Options{})
	if err != nil {
		return fmt.Errorf("%w: %w", errOtherProc, err)
	}
	for i := range scan.Processes {
		if p := &scan.Processes[i]; p.PID == os.Getpid() {
			return compare(p, &file)
		}
	}
	return fmt.Errorf("%w: it is not in it", errOtherProc)
}

// compare checks what does not change from one moment to the next.
func compare(p, file *procfs.Process) error {
	const memory = 64 << 10 // KiB that a process may get or give back in between
	apart := func(a, b uint64) uint64 { return max(a, b) - min(a, b) }
	for _, c := range []struct {
		what      string
		got, want uint64
		most      uint64
	}{
		{"start", p.StartTicks, file.StartTicks, 0}, {"parent", uint64(p.PPID), uint64(file.PPID), 0}, {"user", uint64(p.UID), uint64(file.UID), 0},
		{"threads", uint64(p.Threads), uint64(file.Threads), 64}, {"CPU in ticks", p.CPUTicks, file.CPUTicks, 100},
		{"resident memory in KiB", p.RSSKiB, file.RSSKiB, memory}, {"virtual memory in KiB", p.VMSKiB, file.VMSKiB, 1 << 20},
		{"descriptors", uint64(p.OpenFDs), uint64(file.OpenFDs), 64},
	} {
		if apart(c.got, c.want) > c.most {
			return fmt.Errorf("%w: %s is %d, and in /proc %d", errOtherProc, c.what, c.got, c.want)
		}
	}
	if p.Comm != file.Comm {
		return fmt.Errorf("%w: its name is %q, and in /proc %q", errOtherProc, p.Comm, file.Comm)
	}
	return nil
}
