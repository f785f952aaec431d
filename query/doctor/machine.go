package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The first namespaces of a machine. Source: Linux include/linux/proc_ns.h, PROC_PID_INIT_INO and PROC_USER_INIT_INO.
const (
	firstPID  = "pid:[4026531836]"
	firstUser = "user:[4026531837]"
)

// privilegeBits are the bits of Linux's capabilities that a sampler can use. Source: Linux include/uapi/linux/capability.h.
var privilegeBits = []struct {
	name string
	bit  int
}{{dacReadSearch, unix.CAP_DAC_READ_SEARCH}, {netAdmin, unix.CAP_NET_ADMIN}, {sysPtrace, unix.CAP_SYS_PTRACE}, {syslog, unix.CAP_SYSLOG},
	{bpf, unix.CAP_BPF}, {perfmon, unix.CAP_PERFMON}}

// The names of those.
const (
	dacReadSearch = "cap_dac_read_search"
	netAdmin      = "cap_net_admin"
	bpf           = "cap_bpf"
	perfmon       = "cap_perfmon"
	sysPtrace     = "cap_sys_ptrace"
	syslog        = "cap_syslog"
)

// ReadMachine reads what /proc and /sys below root say. Who may take how much memory is the caller's to add.
func ReadMachine(root string) Machine {
	m := Machine{Root: os.Geteuid() == 0}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel, m.Processor = unix.ByteSliceToString(name.Release[:]), unix.ByteSliceToString(name.Machine[:])
	}
	m.Program, _ = os.Executable()
	pid, pidErr := os.Readlink(filepath.Join(root, "proc/self/ns/pid"))
	user, userErr := os.Readlink(filepath.Join(root, "proc/self/ns/user"))
	m.Contained = pidErr == nil && pid != firstPID || userErr == nil && user != firstUser
	status, _ := os.ReadFile(filepath.Join(root, "proc/self/status"))
	m.Privileges = parsePrivileges(string(status))
	mounts, _ := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	m.Hierarchies = parseHierarchies(string(mounts))
	_, err := os.Stat(filepath.Join(root, "sys/kernel/btf/vmlinux"))
	m.Types = err == nil
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		m.Files = limit.Cur
	}
	m.See(filepath.Join(root, "proc"))
	m.Proc = ""
	return m
}

// See reads of the machine's own /proc, mounted at proc, what is recorded: in a container that is not what /proc shows.
func (m *Machine) See(proc string) {
	if proc != "/proc" {
		m.Proc = proc
	}
	m.Processes = 0
	entries, _ := os.ReadDir(proc)
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err == nil {
			m.Processes++
		}
	}
	info, _ := os.ReadFile(filepath.Join(proc, "meminfo"))
	for line := range strings.Lines(string(info)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemTotal:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64) // 0 where it is no number
			m.Total = kib << 10
		}
	}
}

// parsePrivileges are the effective capabilities that /proc/self/status tells of, proc_pid_status(5), as far as a sampler can use them.
func parsePrivileges(status string) (have []string) {
	for line := range strings.Lines(status) {
		hex, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
		for _, p := range privilegeBits {
			if err == nil && set&(1<<p.bit) != 0 {
				have = append(have, p.name)
			}
		}
	}
	return have
}

// parseHierarchies are the versions of control groups that mountinfo lists, proc_pid_mountinfo(5).
func parseHierarchies(mounts string) (versions []string) {
	for line := range strings.Lines(mounts) {
		_, what, _ := strings.Cut(line, " - ")
		fields := strings.Fields(what)
		if len(fields) == 0 {
			continue
		}
		version := map[string]string{"cgroup": "version 1", "cgroup2": "version 2"}[fields[0]]
		if version != "" && !slices.Contains(versions, version) {
			versions = append(versions, version)
		}
	}
	slices.Sort(versions)
	return versions
}

// ReadClock asks the kernel, adjtimex(2).
func ReadClock() Clock {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return Clock{}
	}
	const timeError = 5 // TIME_ERROR, Linux include/uapi/linux/timex.h
	return Clock{Known: true, Kept: state != timeError && t.Status&unix.STA_UNSYNC == 0}
}
