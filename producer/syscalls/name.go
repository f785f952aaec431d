package syscalls

import (
	"fmt"
	"runtime"

	"github.com/elastic/go-seccomp-bpf/arch"
)

// tables are the names of the system calls of this machine: of its own programs, and of 32-bit ones.
var tables = map[string]struct{ wide, narrow *arch.Info }{
	"amd64": {arch.X86_64, arch.I386}, "arm64": {arch.AARCH64, arch.ARM},
}

// nameOf is the name of a system call of this machine. One that is newer than the tables has its number in the name.
func nameOf(number uint32, is32Bit bool) string {
	machine := tables[runtime.GOARCH]
	table := machine.wide
	if is32Bit {
		table = machine.narrow
	}
	if table != nil {
		if name, ok := table.SyscallNumbers[int(number)]; ok {
			return name
		}
	}
	return fmt.Sprintf("call_%d", number)
}
