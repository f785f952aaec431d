package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

// network are the programs of kernel/network.bpf.c, attached: they count what processes send and receive. The tracepoints are those of Linux 6.3 and later.
type network struct {
	objects networkObjects
	links   []link.Link
}

// countNetwork has what each process sends and receives counted in a map, for a kernel of the given types; nil for those of the kernel that runs. The caller
// closes it.
func countNetwork(sums *ebpf.Map, kernel *btf.Cache, types *btf.Spec) (*network, error) {
	spec, err := loadNetwork()
	if err != nil {
		return nil, err
	}
	n := new(network)
	err = spec.LoadAndAssign(&n.objects, &ebpf.CollectionOptions{Cache: kernel, Programs: ebpf.ProgramOptions{KernelTypes: types},
		MapReplacements: map[string]*ebpf.Map{networkMapNetworkSums: sums}})
	if err != nil {
		return nil, fmt.Errorf("load the programs that count the network: %w", err)
	}
	for _, p := range []*ebpf.Program{n.objects.Sent, n.objects.Received} {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("attach %s: %w", p, err), n.close())
		}
		n.links = append(n.links, l)
	}
	return n, nil
}

// close drops the programs. Without them it does nothing.
func (n *network) close() error {
	if n == nil {
		return nil
	}
	var errs []error
	for _, l := range n.links {
		errs = append(errs, l.Close())
	}
	return errors.Join(append(errs, n.objects.Close())...)
}
