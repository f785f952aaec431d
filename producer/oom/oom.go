// Package oom finds out whether a process that died by SIGKILL was killed by the kernel for want of memory: the kernel's
// log and its counters of such kills go in, judgements of deaths come out.
package oom

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Config says where the kernel reports its kills. The zero value of each field works.
type Config struct {
	Root   string       // where proc is mounted; default /proc
	Kmsg   string       // the kernel's log; default /dev/kmsg
	Cgroup string       // where the cgroup hierarchies are mounted; default /sys/fs/cgroup
	Log    *slog.Logger // default slog.Default()
}

// Watch remembers the kills that the kernel has reported. One goroutine uses it; no method waits.
//
// Where the log can be read it decides alone: it names each victim. Elsewhere the counter of the victim's cgroup
// decides, which counts no victims of other cgroups, and at last the counter of the whole machine, which makes a kill
// only likely. A kill that a counter counted explains one death.
type Watch struct {
	log   *slog.Logger
	root  string
	kmsg  *kmsg // nil when it cannot be read, for the reason kmsgErr
	kills []victim
	last  record // the last reason of a kill, until the log says which process was killed
	lost  uint64

	groups    groups // not used while the log can be read
	machine   counter
	kmsgErr   error
	groupsErr error
	vmstatErr error
}

// victim is a kill that the log reported between two readings. The record's own time is not used: its clock drifts from
// CLOCK_BOOTTIME and stops in suspend.
type victim struct {
	pid      int
	from, to int64 // CLOCK_BOOTTIME of the readings
	kill     Kill
}

// Open opens what there is. Kills of before are not reported. The caller closes the Watch.
func Open(cfg Config) *Watch {
	root := cmp.Or(cfg.Root, "/proc")
	w := &Watch{log: cmp.Or(cfg.Log, slog.Default()), root: root}
	now := bootTime()
	w.kmsg, w.kmsgErr = openLog(cmp.Or(cfg.Kmsg, "/dev/kmsg"), root, now)
	w.groups, w.groupsErr = openGroups(cmp.Or(cfg.Cgroup, "/sys/fs/cgroup"))
	w.vmstatErr = w.readMachineCounter(now)
	return w
}

// openLog opens the kernel's log where the pids in it are those that we know: in the first pid namespace.
func openLog(path, root string, now int64) (*kmsg, error) {
	const first = "pid:[4026531836]" // PROC_PID_INIT_INO, Linux include/linux/proc_ns.h
	namespace, err := os.Readlink(filepath.Join(root, "self/ns/pid"))
	if err != nil {
		return nil, fmt.Errorf("find out the pid namespace: %w", err)
	}
	if namespace != first {
		return nil, errors.New("its pids are not those of this pid namespace")
	}
	return openKmsg(path, now)
}

// Close closes the kernel's log.
func (w *Watch) Close() error {
	if w.kmsg == nil {
		return nil
	}
	return w.kmsg.close()
}

// Sources says, in a line each, which of the sources kmsg, cgroup and vmstat can be read, and what is missing.
func (w *Watch) Sources() []string {
	return []string{
		source("kmsg", w.kmsgErr, "the kernel names each process that it kills for want of memory"),
		source("cgroup", w.groupsErr, "such kills are counted for each cgroup"),
		source("vmstat", w.vmstatErr, "such kills are counted for the whole machine"),
	}
}

func source(name string, err error, what string) string {
	if err == nil {
		return name + ": " + what
	}
	if errors.Is(err, os.ErrPermission) {
		return fmt.Sprintf("no %s: %v; the capability CAP_SYSLOG or root would help", name, err)
	}
	return fmt.Sprintf("no %s: %v", name, err)
}

// Lost is how many times records of the kernel's log were overwritten before they were read. A kill in them
// is not known.
func (w *Watch) Lost() uint64 { return w.lost }

// Poll reads what the kernel has reported since the call before. Call it a few times a second: what it finds happened
// between two calls. After an error of the log the counters are used in its place.
func (w *Watch) Poll() error {
	now := bootTime()
	if w.kmsg != nil {
		return w.pollKmsg(now)
	}
	return w.pollCounters(now)
}

func (w *Watch) pollKmsg(now int64) error {
	err := w.kmsg.poll(now, func(r record) { w.applyRecord(r, w.kmsg.at, now) })
	if w.kmsg.lost > w.lost {
		w.log.Warn("records of the kernel's log were overwritten before they were read; kills for want of memory may be missed")
		w.lost = w.kmsg.lost
	}
	if err == nil {
		return nil
	}
	w.kmsgErr = errors.Join(err, w.kmsg.close())
	w.kmsg = nil
	w.machine = counter{} // the log has reported what it counted until now
	w.vmstatErr = w.readMachineCounter(now)
	return err
}

// pollCounters reads the counter of the machine and, when that has risen or cannot be read, those of the cgroups: the kernel counts each kill in both.
func (w *Watch) pollCounters(now int64) error {
	before := w.machine.value
	if w.vmstatErr == nil {
		if w.vmstatErr = w.readMachineCounter(now); w.vmstatErr != nil {
			return w.vmstatErr
		}
	}
	if w.vmstatErr != nil || w.machine.value != before {
		w.groups.readAll(now)
	}
	return nil
}

// readMachineCounter reads the count of kills since boot. Source: oom_kill in /proc/vmstat, since Linux 4.13.
func (w *Watch) readMachineCounter(now int64) error {
	path := filepath.Join(w.root, "vmstat")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	n, ok := field(data, "oom_kill")
	if !ok {
		return fmt.Errorf("%s has no oom_kill, which takes Linux 4.13", path)
	}
	w.machine.update(n, now)
	return nil
}

// applyRecord takes in what one record of the log says, which was written between from and to. The kernel writes two of a
// kill. The first, which says why, is left out when it kills often, and counts only together with the second.
func (w *Watch) applyRecord(r record, from, to int64) {
	if !r.killed {
		w.last = r
		return
	}
	if w.last.pid == r.pid {
		reason := w.last.kill
		reason.merge(r.kill)
		r.kill = reason
	}
	w.last = record{}
	if i := w.victimIndex(r.pid, to); i >= 0 {
		w.kills[i].kill.merge(r.kill)
		return
	}
	if len(w.kills) == maxKills {
		w.kills = slices.Delete(w.kills, 0, 1)
	}
	w.kills = append(w.kills, victim{r.pid, from, to, r.kill})
}

// victimIndex is the index of the kill of pid that fits a death at the boot time boot, or -1.
func (w *Watch) victimIndex(pid int, boot int64) int {
	return slices.IndexFunc(w.kills, func(v victim) bool { return v.pid == pid && mayExplain(v.from, v.to, boot, maxDying) })
}

// Track begins to watch a cgroup, of which a process may die later: a counter is of use only when its value of before is
// known. A bounded number is remembered; those that were named last stay. Name each as often as you like.
func (w *Watch) Track(cgroup string) {
	if w.kmsg == nil && cgroup != "" {
		w.groups.track(cgroup, bootTime())
	}
}

// Judge reports whether the kernel killed this process for want of memory, and how that is known. It knows what the
// log had reported by the last Poll, so Poll comes between a death and its judgement. What has explained one death does
// not explain another.
func (w *Watch) Judge(d Death) (Kill, bool) {
	if w.kmsg != nil {
		return w.judgeByLog(d)
	}
	now := bootTime()
	if w.vmstatErr == nil {
		w.vmstatErr = w.readMachineCounter(now)
	}
	switch w.groups.judge(d, now) {
	case yes:
		w.machine.claim(d.Boot, maxDying) // it counted the same kill
		return Kill{Cgroup: d.Cgroup, Source: SourceCgroup}, true
	case no:
		return Kill{}, false
	}
	if w.machine.claim(d.Boot, maxDyingUnnamed) {
		return Kill{Likely: true, Source: SourceVmstat}, true
	}
	return Kill{}, false
}

func (w *Watch) judgeByLog(d Death) (Kill, bool) {
	i := w.victimIndex(d.PID, d.Boot)
	if i < 0 {
		return Kill{}, false
	}
	kill := w.kills[i].kill
	w.kills = slices.Delete(w.kills, i, i+1)
	return kill, true
}

// bootTime is CLOCK_BOOTTIME in nanoseconds.
func bootTime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("clock_gettime(CLOCK_BOOTTIME): %v", err)) // every kernel since 2.6.39 has it
	}
	return ts.Nano()
}
