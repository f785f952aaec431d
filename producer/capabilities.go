package producer

import (
	"os"
	"strings"

	"github.com/proctape/proctape/producer/gpu"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/oom"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
)

// Capability is something the sampler can or cannot see on this machine.
type Capability struct {
	Name   string // in a few words, as it is published
	Have   bool
	Detail string // what is seen, or what is missing
	Grant  string // what to grant to get what is missing; empty when nothing would help
	Quiet  bool   // that it is missing is nothing to tell
}

// Probe finds out what this process can see.
func Probe(fs *procfs.FS, argv scrub.Mode) []Capability {
	root := os.Geteuid() == 0
	host, hostErr := fs.Host()
	scan, scanErr := fs.Processes(nil, procfs.Options{})

	all := Capability{Name: "processes", Have: scanErr == nil && !scan.Partial, Detail: "every process of this machine"}
	if !all.Have {
		all.Detail = "only this user's processes: /proc is mounted with hidepid"
		all.Grant = "run as root, or mount /proc with hidepid=0 or a gid= of this user"
	}
	io := Capability{Name: "io", Have: root, Detail: "bytes read and written by every process"}
	if !io.Have {
		io.Detail = "bytes read and written by this user's processes only"
		io.Grant = "run as root, or with the capability CAP_SYS_PTRACE"
	}
	psi := Capability{Name: "psi", Have: hostErr == nil && host.Pressure != nil, Detail: "pressure stall information"}
	if !psi.Have {
		psi.Detail = "no pressure stall information: the kernel does not measure it"
		psi.Grant = "boot with psi=1"
	}
	return []Capability{
		all, io, psi,
		{Name: "argv-" + string(argv), Have: true, Detail: argvDetail(argv)},
	}
}

// sourceDetails is what each way of watching processes sees, and what it lacks.
var sourceDetails = map[lifecycle.SourceKind]string{
	lifecycle.KindTaskstats: "every start and end of a process, with exit code, CPU, peak memory and I/O",
	lifecycle.KindConnector: "every start and end of a process, with exit code; no CPU, memory or I/O of what lives between two samples",
	lifecycle.KindPidfd:     "starts and ends of processes that live for a second, with exit code; nothing of what lives shorter",
	lifecycle.KindDiff:      "starts and ends by comparing samples: no exit codes, and nothing of what lives between two samples",
}

// eventCapabilities say by which way processes are watched, and what would give a better one.
func eventCapabilities(rung lifecycle.SourceKind, attempts []lifecycle.Attempt) []Capability {
	c := Capability{Name: string(rung), Have: rung == lifecycle.KindTaskstats, Detail: sourceDetails[rung]}
	if len(attempts) > 0 && attempts[0].Err != nil { // the best that was tried
		c.Grant = attempts[0].Grant
	}
	return []Capability{c}
}

// oomCapability says how kills for want of memory are told from others.
func oomCapability(w *oom.Watch) Capability {
	sources := w.Sources()
	c := Capability{Name: "oom", Have: !strings.HasPrefix(sources[0], "no "), Detail: "kills for want of memory, told apart from others by the kernel's log"}
	if !c.Have {
		c.Detail = "kills for want of memory by the kernel's counters alone, which do not name the process"
		c.Grant = "run as root on the host, or with the capability CAP_SYSLOG"
	}
	return c
}

// gpuCapability says which GPUs are read. None at all is nothing that is missing.
func gpuCapability(r *gpu.Reader) Capability {
	have, _ := r.Source()
	return Capability{Name: "gpu", Have: have != "", Detail: "GPUs by " + have, Quiet: have == ""}
}

func syscallCapability(on bool) Capability {
	return Capability{Name: "syscalls", Have: on, Detail: "system calls of a process on demand, by strace, which slows it down 60 to 200 times meanwhile", Quiet: !on}
}

func argvDetail(mode scrub.Mode) string {
	switch mode {
	case scrub.Full:
		return "command lines as they are, secrets in them included"
	case scrub.None:
		return "program names, no arguments"
	}
	return "command lines, with what looks like a secret masked"
}

// capabilityNames is what a snapshot says of its sampler.
func capabilityNames(caps []Capability) []string {
	var names []string
	for _, c := range caps {
		if c.Have || strings.HasPrefix(c.Name, "events-") {
			names = append(names, c.Name)
		}
	}
	return names
}
