package bpf

import (
	"errors"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// The kernel keeps some sums in a part for each CPU. Where such a part lies is the address in the structure plus an offset
// of the CPU, and no program may read these offsets by name. On x86 each CPU has its own in a per-CPU variable. So the
// programs go from another per-CPU variable of that CPU, the queue of what runs there, of which tasks have the address, to
// that one: how far they are apart the kernel's types tell.

const perCPUSection = ".data..percpu"

// setPerCPU tells the programs, by a variable of theirs, how far these two variables are apart, where that is known.
func setPerCPU(apart *ebpf.VariableSpec, kernel *btf.Cache) error {
	if runtime.GOARCH != "amd64" {
		return nil
	}
	types, err := kernel.Kernel()
	if err != nil {
		return err
	}
	var section *btf.Datasec
	if err := types.TypeByName(perCPUSection, &section); errors.Is(err, btf.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	queue, found := offsetIn(section, "runqueues")
	own, foundOwn := offsetIn(section, "this_cpu_off")
	if !found || !foundOwn {
		return nil
	}
	// The distance may be negative; the program subtracts it modulo 2^64.
	return apart.Set(uint64(queue) - uint64(own))
}

// offsetIn finds a variable in a section.
func offsetIn(section *btf.Datasec, name string) (offset uint32, found bool) {
	for _, v := range section.Vars {
		if v.Type.TypeName() == name {
			return v.Offset, true
		}
	}
	return 0, false
}
