package oom

import (
	"bytes"
	"math"
	"strconv"

	"github.com/proctape/proctape/schema"
)

// record is what one record of the kernel's log says of a kill.
type record struct {
	pid  int
	kill Kill
}

// parseRecord parses a record of /dev/kmsg. Ok is false when it is not about a kill. Source: Linux
// Documentation/ABI/testing/dev-kmsg; dump_oom_victim and __oom_kill_process in mm/oom_kill.c.
func parseRecord(data []byte) (r record, ok bool) {
	header, text, ok := bytes.Cut(data, []byte{';'})
	if !ok || !fromKernel(header) {
		return record{}, false
	}
	text, _, _ = bytes.Cut(text, []byte{'\n'}) // lines that follow are keys and values about the record
	if rest, ok := bytes.CutPrefix(text, []byte("oom-kill:constraint=")); ok {
		return parseReason(rest)
	}
	return parseKilled(text)
}

// fromKernel reports whether the kernel itself wrote a record with this header: prio,seq,usec,flags, where prio is
// level + 8 * facility. What programs write to /dev/kmsg never has facility 0.
func fromKernel(header []byte) bool {
	prio, _, ok := bytes.Cut(header, []byte{','})
	n, err := strconv.ParseUint(string(prio), 10, 32)
	return ok && err == nil && n < 8
}

// parseReason parses what follows oom-kill:constraint=
//
//	CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=eat,pid=12,uid=0
//
// The names of cgroups and of the task are anybody's choice and may look like fields. So the pid, which comes after
// them, is looked for from the end.
func parseReason(text []byte) (record, bool) {
	constraint, _, _ := bytes.Cut(text, []byte{','})
	rest, _, ok := cutLast(text, ",uid=")
	if !ok {
		return record{}, false
	}
	rest, number, ok := cutLast(rest, ",pid=")
	if !ok {
		return record{}, false
	}
	pid, ok := parsePID(number)
	if !ok {
		return record{}, false
	}
	return record{pid, Kill{Scope: scopeOf(string(constraint)), Cgroup: cgroupOf(rest), Source: SourceKmsg}}, true
}

func scopeOf(constraint string) Scope {
	switch constraint {
	case "CONSTRAINT_NONE":
		return ScopeGlobal
	case "CONSTRAINT_CPUSET":
		return ScopeCpuset
	case "CONSTRAINT_MEMORY_POLICY":
		return ScopeMempolicy
	case "CONSTRAINT_MEMCG":
		return ScopeMemcg
	}
	return ""
}

// cgroupOf finds the cgroup that was at its limit, else the victim's.
func cgroupOf(text []byte) string {
	text, _, _ = cutLast(text, ",task=")
	before, victims, ok := cutLast(text, ",task_memcg=")
	if !ok {
		return ""
	}
	if _, limited, ok := bytes.Cut(before, []byte(",oom_memcg=")); ok {
		return string(limited)
	}
	return string(victims)
}

// parseKilled parses
//
//	Memory cgroup out of memory: Killed process 12 (eat) total-vm:9kB, anon-rss:7kB, file-rss:1kB, shmem-rss:0kB, UID:0 ...
//
// where the name may hold anything.
func parseKilled(text []byte) (record, bool) {
	why, rest, ok := bytes.Cut(text, []byte("Killed process "))
	if !ok {
		return record{}, false
	}
	number, rest, ok := bytes.Cut(rest, []byte{' '})
	if !ok {
		return record{}, false
	}
	pid, ok := parsePID(number)
	if !ok {
		return record{}, false
	}
	_, sizes, ok := cutLast(rest, ") total-vm:")
	if !ok {
		return record{}, false
	}
	kill := Kill{VictimRSSKiB: residentOf(sizes), Source: SourceKmsg}
	switch {
	case bytes.HasPrefix(why, []byte("Memory cgroup out of memory")):
		kill.Scope = ScopeMemcg
	case !bytes.HasPrefix(why, []byte("Out of memory")):
		return record{}, false
	}
	return record{pid, kill}, true
}

// residentOf adds up the parts of a resident set. It is not known when there are none.
func residentOf(sizes []byte) (sum schema.Opt[int64]) {
	for _, name := range []string{"anon-rss:", "file-rss:", "shmem-rss:"} {
		_, rest, ok := bytes.Cut(sizes, []byte(name))
		if !ok {
			continue
		}
		number, _, _ := bytes.Cut(rest, []byte("kB"))
		n, err := strconv.ParseUint(string(number), 10, 48)
		if err != nil {
			return schema.Opt[int64]{}
		}
		sum = schema.Some(sum.V + int64(n))
	}
	return sum
}

func parsePID(text []byte) (int, bool) {
	n, err := strconv.ParseUint(string(text), 10, 64)
	return int(n), err == nil && n > 0 && n <= math.MaxInt32
}

// cutLast is bytes.Cut at the last separator.
func cutLast(text []byte, sep string) (before, after []byte, found bool) {
	i := bytes.LastIndex(text, []byte(sep))
	if i < 0 {
		return text, nil, false
	}
	return text[:i], text[i+len(sep):], true
}

// field is the number after a name in a file of lines "name number".
func field(data []byte, name string) (uint64, bool) {
	for line := range bytes.Lines(data) {
		key, value, _ := bytes.Cut(line, []byte{' '})
		if string(key) != name {
			continue
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 64)
		return n, err == nil
	}
	return 0, false
}
