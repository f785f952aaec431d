package netlink

import (
	"bytes"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Versions of struct taskstats that matter, Linux include/uapi/linux/taskstats.h. Each but one adds fields at the end.
const (
	versionGroups = 12 // Linux 5.19: ac_tgid and the flag AGROUP
	versionTorn   = 15 // Linux 6.14 and 6.15: new fields in the middle, which the next version moved to the end
)

// flagLast is AGROUP, Linux include/uapi/linux/acct.h.
const flagLast = 0x20

// Record is what taskstats says of a thread that has ended. Ids are those of the first pid namespace.
//
// CPU, ReadBytes and WriteBytes are the thread's own: a process's are the sums over its threads.
type Record struct {
	PID, TGID  int    // the thread and its process
	ParentTGID int    // the parent process at the end
	UID        uint32 // real user
	Comm       string // name of the thread: 15 bytes at most
	Status     uint32 // wait status, man wait(2)

	// Last says that the process had no other thread left: it has ended, and Status is its own. Records of other
	// threads may still follow.
	Last bool
	// Threads says that the process had another thread at some time.
	Threads bool

	Life                  time.Duration // since the process began
	CPU                   time.Duration // user and system; of a life of milliseconds a guess, and often 0
	System                time.Duration // of CPU, in the kernel, in the proportion in which ticks found the thread there
	PeakRSS               uint64        // KiB, of the whole process since it last executed a program; 0 of a kernel thread
	ReadBytes, WriteBytes uint64        // from and to storage

	// Start is when the process began, in boot nanoseconds, and AtLeast says that CPU and bytes are lower bounds. A record of taskstats has
	// neither.
	Start   int64
	AtLeast bool
}

// parseRecord reads the payload of a TASKSTATS_CMD_NEW message. It fails on versions before 12, which do not say which
// thread is the last, and on 15.
func parseRecord(data []byte) (Record, error) {
	if len(data) < genericHeader {
		return Record{}, errShort
	}
	var r Record
	found := false
	err := eachAttribute(data[genericHeader:], func(kind uint16, value []byte) error {
		switch kind {
		case unix.TASKSTATS_TYPE_AGGR_PID:
			found = true
			return r.parseThread(value)
		case unix.TASKSTATS_TYPE_AGGR_TGID: // sums over the threads, but of delays only; sent with the last one's
			r.Threads = true
		}
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("taskstats message of %d bytes holds no record", len(data))
	}
	return r, err
}

// parseThread reads the id and the statistics of a thread.
func (r *Record) parseThread(data []byte) error {
	return eachAttribute(data, func(kind uint16, value []byte) error {
		switch kind {
		case unix.TASKSTATS_TYPE_PID:
			if len(value) < 4 {
				return errShort
			}
			r.PID = int(int32(native.Uint32(value)))
		case unix.TASKSTATS_TYPE_STATS:
			return r.parseStats(value)
		}
		return nil
	})
}

// parseStats reads struct taskstats as far as the kernel filled it and we know it.
func (r *Record) parseStats(data []byte) error {
	var ts unix.Taskstats
	if n := int(unsafe.Offsetof(ts.Ac_exe_dev)); len(data) < n {
		return fmt.Errorf("taskstats of %d bytes is older than version %d, which has %d", len(data), versionGroups, n)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&ts)), unsafe.Sizeof(ts)), data)
	if ts.Version < versionGroups || ts.Version == versionTorn {
		return fmt.Errorf("taskstats version %d is none we can read: want version %d or later and not %d",
			ts.Version, versionGroups, versionTorn)
	}
	r.Status, r.Last = ts.Ac_exitcode, ts.Ac_flag&flagLast != 0
	r.TGID, r.ParentTGID, r.UID = int(ts.Ac_tgid), int(ts.Ac_ppid), ts.Ac_uid
	r.Comm = text(ts.Ac_comm[:])
	r.Life = microseconds(ts.Ac_tgetime)
	ticked := microseconds(ts.Ac_utime) + microseconds(ts.Ac_stime)
	r.CPU = cpu(ticked, time.Duration(ts.Cpu_run_virtual_total))
	if ticked > 0 {
		r.System = time.Duration(float64(r.CPU) * float64(microseconds(ts.Ac_stime)) / float64(ticked))
	}
	r.PeakRSS, r.ReadBytes, r.WriteBytes = ts.Hiwater_rss, ts.Read_bytes, ts.Write_bytes
	return nil
}

// cpu is what a thread used, of the two figures that there are. The one charges whole ticks to whoever runs when a tick
// comes: right on average for those that live a moment, and several percent too much for a compiler on a busy machine. The
// other is exact, but leaves out what came after the last tick or switch (Linux kernel/delayacct.c); it is 0 where the
// kernel does not keep it.
func cpu(ticked, counted time.Duration) time.Duration {
	const (
		moment = 20 * time.Millisecond
		tick   = 4 * time.Millisecond // the most that is left out, at 250 Hz
	)
	if counted < moment {
		return ticked
	}
	return min(max(ticked, counted), counted+tick)
}

func microseconds(n uint64) time.Duration { return time.Duration(n) * time.Microsecond }

// text is the string in an array of C's char, which is signed on some machines and not on others.
func text[C int8 | uint8](chars []C) string {
	b := make([]byte, len(chars))
	for i, c := range chars {
		b[i] = byte(c)
	}
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	return string(b)
}
