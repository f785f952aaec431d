package lifecycle

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Attempt is what came of trying a rung.
type Attempt struct {
	Kind  SourceKind
	Err   error  // nil: it works
	Grant string // what to grant to get it; empty when it works
}

// Open opens the first of rungs that works on this machine, as far as a probe can tell, and says of each one that was
// tried what came of it. The error is not nil when none works. The caller closes the source.
func Open(cfg Config, rungs []SourceKind) (Source, []Attempt, error) {
	if cfg.Describe == nil {
		return nil, nil, errors.New("open a lifecycle source: Describe is nil")
	}
	var attempts []Attempt
	var errs []error
	for _, rung := range rungs {
		source, err := openKind(cfg, rung)
		if err == nil {
			return source, append(attempts, Attempt{Kind: rung}), nil
		}
		attempts = append(attempts, Attempt{rung, err, whatToGrant(rung, err)})
		errs = append(errs, fmt.Errorf("%s: %w", rung, err))
	}
	return nil, attempts, fmt.Errorf("no way to watch processes works: %w", errors.Join(errs...))
}

func openKind(cfg Config, rung SourceKind) (Source, error) {
	switch rung {
	case KindTaskstats, KindConnector:
		return openProbed(cfg, rung)
	case KindPidfd:
		return NewPidfd(cfg)
	case KindDiff:
		return NewDiff(), nil
	}
	return nil, fmt.Errorf("no such rung, want one of %q", SourceKinds)
}

// openProbed opens a rung and has it prove that it works: the kernel takes many for listeners to whom it never tells
// anything.
func openProbed(cfg Config, rung SourceKind) (Source, error) {
	e, err := openExact(cfg, rung, 0)
	if err != nil {
		return nil, err
	}
	if err := e.probe(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// whatToGrant says what would make a rung work that failed with err.
func whatToGrant(rung SourceKind, err error) string {
	switch {
	case rung == KindPidfd:
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
