package producer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/gpu"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/oom"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

// Capability is something the sampler can or cannot see on this machine.
type Capability struct {
	Name   schema.Capability // as it is published
	Have   bool
	Detail string // what is seen, or what is missing
	Grant  string // what to grant to get what is missing; empty when nothing would help
	Quiet  bool   // it is missing, and that need not be shown
}

// Probe finds out what this process can see.
func Probe(fs *procfs.FS, argv scrub.Mode) []Capability {
	host, hostErr := fs.Host()
	scan, scanErr := fs.Processes(nil, procfs.Options{})
	caps := []Capability{
		processCapability(&scan, scanErr), ioCapability(&scan, scanErr), psiCapability(&host, hostErr),
		{Name: argvCapability(argv), Have: true, Detail: doc(argvCapability(argv))},
	}
	for _, f := range append(host.Failures, scan.Failures...) {
		if !strings.HasPrefix(f.File, "pressure/") { // psi says that
			caps = append(caps, Capability{Detail: fmt.Sprintf("what %s tells: %v", f.File, f.Err), Grant: "make that file readable"})
		}
	}
	return caps
}

// processCapability says whether the scan saw every process.
func processCapability(scan *procfs.Scan, err error) Capability {
	c := Capability{Name: schema.CapProcesses, Have: err == nil && !scan.Partial, Detail: doc(schema.CapProcesses)}
	switch {
	case c.Have:
		return c
	case err != nil:
		c.Detail = fmt.Sprintf("no process at all: %v", err)
		c.Grant = "mount proc there"
	case scan.Lost > 0 && scan.Hidden == 0:
		c.Detail = fmt.Sprintf("%d of %d processes only: of the others stat cannot be read", len(scan.Processes), len(scan.Processes)+scan.Lost)
		c.Grant = "see the reason that is told of PID/stat"
	default:
		c.Detail = "only this user's processes: /proc is mounted with hidepid"
		if scan.Hidden > 0 {
			c.Detail = fmt.Sprintf("%d of %d processes only: /proc is mounted with hidepid", len(scan.Processes), len(scan.Processes)+scan.Hidden)
		}
		c.Grant = "run as root, or mount /proc with hidepid=0 or a gid= of this user"
	}
	return c
}

// ioCapability says of how many processes the scan saw the I/O.
func ioCapability(scan *procfs.Scan, err error) Capability {
	all := len(scan.Processes)
	c := Capability{Name: schema.CapIO, Have: err == nil && scan.IODenied == 0 && all > 0, Detail: doc(schema.CapIO)}
	if !c.Have {
		c.Detail = fmt.Sprintf("bytes read and written by %d of %d processes only", all-scan.IODenied, all)
		c.Grant = "run as root, or with the capabilities CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
		if os.Geteuid() == 0 {
			c.Grant = "give root the capabilities CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, which a container or a guest may have taken from it"
		}
	}
	return c
}

// psiCapability says whether stalls are measured, and else why not.
func psiCapability(host *procfs.Host, err error) Capability {
	p := &host.Pressure
	c := Capability{Name: schema.CapPSI, Have: p.CPU.Some.Known && p.Memory.Some.Known && p.IO.Some.Known, Detail: doc(schema.CapPSI)}
	if c.Have {
		return c
	}
	i := slices.IndexFunc(host.Failures, func(f procfs.Failure) bool { return strings.HasPrefix(f.File, "pressure/") })
	switch {
	case err != nil:
		c.Detail, c.Grant = fmt.Sprintf("no pressure stall information: %v", err), "mount proc there"
	case i >= 0:
		c.Detail, c.Grant = fmt.Sprintf("no pressure stall information: %v", host.Failures[i].Err), "make the files of /proc/pressure readable"
	case errors.Is(host.NoPressure, unix.EOPNOTSUPP):
		c.Detail, c.Grant = "no pressure stall information: the kernel was not told to measure it", "boot with psi=1"
	default:
		c.Detail = "no pressure stall information: the kernel does not measure it, or /proc does not show it"
		c.Grant = "boot with psi=1 a kernel of Linux 4.20 or later, with all of /proc to be seen (subset=pid shows none of it)"
	}
	return c
}

// eventCapabilities say which source of starts and ends is used, and what to grant to get a better one.
func eventCapabilities(kind lifecycle.SourceKind, attempts []lifecycle.Attempt) []Capability {
	c := Capability{Name: kind.Capability(), Have: kind == lifecycle.KindBPF || kind == lifecycle.KindTaskstats, Detail: doc(kind.Capability())}
	if len(attempts) > 0 && attempts[0].Err != nil { // the best that was tried
		c.Grant = attempts[0].Grant
	}
	return []Capability{c}
}

// oomCapability says how kills for want of memory are distinguished from others.
func oomCapability(w *oom.Watch) Capability {
	sources := w.Sources()
	c := Capability{Name: schema.CapOOM, Have: !strings.HasPrefix(sources[0], "no "), Detail: doc(schema.CapOOM)}
	if !c.Have {
		c.Detail = "kills for want of memory by the kernel's counters alone, which do not name the process"
		c.Grant = "run as root on the host, or with the capability CAP_SYSLOG"
	}
	return c
}

// gpuCapability says which GPUs there are to be read. A machine without GPUs lacks nothing.
func gpuCapability(r *gpu.Reader) Capability {
	have := r.Expected()
	return Capability{Name: schema.CapGPU, Have: have != "", Detail: doc(schema.CapGPU) + ", by " + have, Quiet: have == ""}
}

// argvCapability is the capability that says how much of a command line is published.
func argvCapability(mode scrub.Mode) schema.Capability {
	switch mode {
	case scrub.Full:
		return schema.CapArgvFull
	case scrub.None:
		return schema.CapArgvNone
	}
	return schema.CapArgvScrubbed
}

// doc is what the table of capabilities says of one.
func doc(c schema.Capability) string {
	info, _ := c.Info()
	return info.Doc
}

// publishedCapabilities are those that every snapshot lists: what the sampler can see, and in any case the source of starts
// and ends. The GPUs are listed when they answer.
func publishedCapabilities(caps []Capability) []schema.Capability {
	var names []schema.Capability
	for _, c := range caps {
		if info, _ := c.Name.Info(); c.Name != schema.CapGPU && c.Have || info.Source {
			names = append(names, c.Name)
		}
	}
	return names
}
