package bpf

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// DropPrivileges gives up, for all threads, the capabilities that loading programs needs: what is loaded goes on. Whoever may administer the system
// (CAP_SYS_ADMIN) keeps what that includes. In a program that uses C it does nothing: there threads are not Go's own.
func DropPrivileges() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read the capabilities: %w", err)
	}
	for _, c := range []int{unix.CAP_BPF, unix.CAP_PERFMON} {
		word, bit := c/32, uint32(1)<<(c%32)
		data[word].Effective &^= bit
		data[word].Permitted &^= bit
		data[word].Inheritable &^= bit
	}
	header.Pid = 0
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 && !errors.Is(errno, unix.ENOTSUP) {
		return fmt.Errorf("give up the capabilities to load programs: %w", errno)
	}
	return nil
}
