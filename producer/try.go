package producer

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/producer/gpu"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/oom"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// Try finds out what a sampler of this process could see, as [New] does, and tries each source of starts and ends by itself and not
// only until one works. It publishes nothing and leaves nothing open. The probes of the sources wait for the kernel, at
// most some seconds. The error is one of closing what was tried.
func Try(cfg Config) ([]Capability, error) {
	cfg = cfg.withDefaults()
	fs := procfs.New(cfg.Root)
	caps, err := tryTable(fs, cfg.BPF, Probe(fs, cfg.Argv))
	if err != nil {
		return nil, err
	}
	sources, err := trySources(cfg)
	if err != nil {
		return nil, err
	}
	watch := oom.Open(oom.Config{Root: cfg.Root, Cgroup: filepath.Join(cfg.Sys, "fs/cgroup"), Log: cfg.Log})
	caps = append(append(caps, sources...), oomCapability(watch), gpuCapability(gpu.Open(gpu.Config{Sys: cfg.Sys, NvidiaSMI: cfg.NvidiaSMI, Interval: cfg.Interval, Log: cfg.Log})))
	return caps, watch.Close()
}

// tryTable tries the kernel's own table of processes, closes what was read so far, and adds whether it works. Nobody needs the table, and
// what a recorder sees that does not ask for it is what /proc has.
func tryTable(fs *procfs.FS, mode bpf.Mode, probed []Capability) ([]Capability, error) {
	table, caps, err := openTable(fs, mode, slices.Clone(probed))
	if table != nil {
		err = errors.Join(err, table.Close())
	}
	for _, c := range caps {
		if c.Name == schema.CapBPF {
			c.Quiet = c.Quiet || !c.Have
			probed = append(probed, c)
		}
	}
	return probed, errors.Join(err, fs.Close())
}

// trySources tries each source. One that does not work while a better one does need not be shown.
func trySources(cfg Config) (caps []Capability, err error) {
	nobody := func(int) (lifecycle.Description, bool) { return lifecycle.Description{}, false }
	better := false
	for _, kind := range cfg.Events {
		c := Capability{Name: kind.Capability(), Detail: doc(kind.Capability())}
		source, attempts, err := lifecycle.Open(lifecycle.Config{Describe: nobody, Command: func(string, []string) string { return "" }, Root: cfg.Root, Log: cfg.Log}, []lifecycle.SourceKind{kind})
		if err != nil {
			c.Detail, c.Grant, c.Quiet = strings.ReplaceAll(attempts[0].Err.Error(), "\n", "; "), attempts[0].Grant, better || kind == lifecycle.KindBPF
		} else {
			c.Have, better = true, true
			err = source.Close()
		}
		caps = append(caps, c)
		if c.Have && err != nil {
			return nil, err
		}
	}
	return caps, nil
}
