package lifecycle

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/bpf"
)

// Attempt is what came of trying a kind of source.
type Attempt struct {
	Kind  SourceKind
	Err   error  // nil: it works
	Grant string // what to grant to get it; empty when it works
}

// Open opens the first of kinds that works on this machine, as far as a probe can find out, and says what came of each one
// that was tried. The error is not nil when none works. The caller closes the source.
func Open(cfg Config, kinds []SourceKind) (Source, []Attempt, error) {
	if cfg.Describe == nil {
		return nil, nil, errors.New("open a lifecycle source: Describe is nil")
	}
	var attempts []Attempt
	var errs []error
	for _, kind := range kinds {
		source, err := openKind(cfg, kind)
		if err == nil {
			return source, append(attempts, Attempt{Kind: kind}), nil
		}
		attempts = append(attempts, Attempt{kind, err, whatToGrant(kind, err)})
		errs = append(errs, fmt.Errorf("%s: %w", kind, err))
	}
	return nil, attempts, fmt.Errorf("no way to watch processes works: %w", errors.Join(errs...))
}

func openKind(cfg Config, kind SourceKind) (Source, error) {
	switch kind {
	case KindBPF, KindTaskstats, KindConnector:
		if cfg.Root != "" && filepath.Clean(cfg.Root) != "/proc" { // they would tell of other pids than another namespace's has
			if err := ownNamespace(cfg.Root); err != nil {
				return nil, err
			}
		}
		if kind == KindBPF {
			return openKernel(cfg)
		}
		return openProbed(cfg, kind)
	case KindPidfd:
		return NewPidfd(cfg)
	case KindDiff:
		return NewDiff(), nil
	}
	return nil, fmt.Errorf("no such kind of source, want one of %q", SourceKinds)
}

// openProbed opens a kind of source and probes that it works: the kernel accepts many listeners to which it never sends
// anything.
func openProbed(cfg Config, kind SourceKind) (Source, error) {
	e, err := openExact(cfg, kind, 0)
	if err != nil {
		return nil, err
	}
	if err := e.probe(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// whatToGrant says what would make a kind of source work that failed with err.
func whatToGrant(kind SourceKind, err error) string {
	var refused *bpf.Refusal
	switch {
	case errors.Is(err, errOtherNamespace):
		return "run in the pid namespace of the processes that are recorded: --pid=host of a container"
	case errors.As(err, &refused):
		return refused.Grant
	case kind == KindPidfd:
		return "run Linux 6.15 or later, with the /proc of the sampler's own pid namespace"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return "run as root, or with the capability CAP_NET_ADMIN"
	case errors.Is(err, unix.ECONNREFUSED):
		return "run in the host's network namespace"
	case errors.Is(err, errNoRecord):
		return "run in the host's network namespace, on Linux 5.19 or later but 6.14 and 6.15"
	case errors.Is(err, errNoEvent):
		return "run in the host's pid and user namespaces, on a kernel with CONFIG_PROC_EVENTS"
	case errors.Is(err, unix.EINVAL):
		return "run in the host's pid and user namespaces"
	case errors.Is(err, unix.EPROTONOSUPPORT):
		return "run a kernel with CONFIG_CONNECTOR and CONFIG_PROC_EVENTS"
	case errors.Is(err, unix.ENOENT):
		return "run a kernel with CONFIG_TASKSTATS, Linux 5.19 or later"
	}
	return "run as root on the host, in its pid, user and network namespaces"
}
