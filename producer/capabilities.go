package producer

import (
	"os"
	"strings"

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
	root := os.Geteuid() == 0
	host, hostErr := fs.Host()
	scan, scanErr := fs.Processes(nil, procfs.Options{})

	all := Capability{Name: schema.CapProcesses, Have: scanErr == nil && !scan.Partial, Detail: doc(schema.CapProcesses)}
	if !all.Have {
		all.Detail = "only this user's processes: /proc is mounted with hidepid"
		all.Grant = "run as root, or mount /proc with hidepid=0 or a gid= of this user"
	}
	io := Capability{Name: schema.CapIO, Have: root, Detail: doc(schema.CapIO)}
	if !io.Have {
		io.Detail = "bytes read and written by this user's processes only"
		io.Grant = "run as root, or with the capability CAP_SYS_PTRACE"
	}
	psi := Capability{Name: schema.CapPSI, Have: hostErr == nil && host.Pressure != nil, Detail: doc(schema.CapPSI)}
	if !psi.Have {
		psi.Detail = "no pressure stall information: the kernel does not measure it"
		psi.Grant = "boot with psi=1"
	}
	return []Capability{
		all, io, psi,
		{Name: argvCapability(argv), Have: true, Detail: doc(argvCapability(argv))},
	}
}

// eventCapabilities say which source of starts and ends is used, and what to grant to get a better one.
func eventCapabilities(kind lifecycle.SourceKind, attempts []lifecycle.Attempt) []Capability {
	c := Capability{Name: kind.Capability(), Have: kind == lifecycle.KindTaskstats, Detail: doc(kind.Capability())}
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

// gpuCapability says which GPUs are read. A machine without GPUs lacks nothing.
func gpuCapability(r *gpu.Reader) Capability {
	have, _ := r.Source()
	return Capability{Name: schema.CapGPU, Have: have != "", Detail: "GPUs by " + have, Quiet: have == ""}
}

func syscallCapability(on bool) Capability {
	return Capability{Name: schema.CapSyscalls, Have: on, Detail: doc(schema.CapSyscalls), Quiet: !on}
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

// publishedCapabilities are those that a snapshot lists: what the sampler can see, and in any case the source of starts
// and ends.
func publishedCapabilities(caps []Capability) []schema.Capability {
	var names []schema.Capability
	for _, c := range caps {
		if info, _ := c.Name.Info(); c.Have || info.Source {
			names = append(names, c.Name)
		}
	}
	return names
}
