package oom

import (
	"bytes"
	"math"
	"regexp"
	"strconv"

	"github.com/proctape/proctape/schema"
)

// record is what one record of the kernel's log says of a kill.
type record struct {
	pid    int
	killed bool // the sentence of the kill itself; else the reason, which comes before it
	kill   Kill
}

// The sentences of a kill, whole: their start is the kernel's, and so is their end. A text that somebody chose, such as a
// process's name, stands at the start of other sentences or within these, and never makes one of these.
//
// Source: dump_oom_summary and __oom_kill_process in Linux mm/oom_kill.c, 5.1 to 6.18. The second says more in later
// versions: UID since 5.4, pgtables and oom_score_adj since 5.5. A name has 15 bytes at most, of which each may be
// written as \x1b.
var (
	killedSentence = regexp.MustCompile(`^(Out of memory|Out of memory \(oom_kill_allocating_task\)|Memory cgroup out of memory): ` +
		`Killed process ([1-9][0-9]{0,9}) \(.{0,60}\) total-vm:[0-9]+kB((?:,? [A-Za-z_-]+:-?[0-9]+(?:kB)?)*)$`)
	reasonSentence = regexp.MustCompile(`^oom-kill:constraint=CONSTRAINT_(NONE|CPUSET|MEMORY_POLICY|MEMCG),nodemask=(.*)` +
		`,task=.{0,60},pid=([1-9][0-9]{0,9}),uid=[0-9]{1,10}$`)
)

// parseRecord parses a record of /dev/kmsg. Ok is false when it is not about a kill. Source: Linux
// Documentation/ABI/testing/dev-kmsg.
func parseRecord(data []byte) (r record, ok bool) {
	header, text, ok := bytes.Cut(data, []byte{';'})
	if !ok || !fromKernel(header) {
		return record{}, false
	}
	text, _, _ = bytes.Cut(text, []byte{'\n'}) // lines that follow are keys and values about the record
	if m := killedSentence.FindSubmatch(text); m != nil {
		return parseKilled(string(m[1]), m[2], m[3])
	}
	if m := reasonSentence.FindSubmatch(text); m != nil {
		return parseReason(string(m[1]), m[2], m[3])
	}
	return record{}, false
}

// fromKernel reports whether the kernel itself wrote a whole record with this header: prio,seq,usec,flags and perhaps
// more, where prio is level + 8 * facility. What programs write to /dev/kmsg never has facility 0. Flags are "-" unless
// the record is the rest of a line that another record broke: such a rest may begin with anything.
func fromKernel(header []byte) bool {
	fields := bytes.Split(header, []byte{','})
	if len(fields) < 4 || string(fields[3]) != "-" {
		return false
	}
	n, err := strconv.ParseUint(string(fields[0]), 10, 32)
	return err == nil && n < 8
}

// parseReason makes a record of the parts of a sentence that says why the kernel chose a process:
//
//	oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=eat,pid=12,uid=0
//
// The kernel puts it together of pieces. Where the last is missing, the name of a cgroup can look like it: so the reason
// is believed only of the process that the next sentence says was killed.
func parseReason(constraint string, middle, number []byte) (record, bool) {
	pid, ok := parsePID(number)
	if !ok {
		return record{}, false
	}
	return record{pid: pid, kill: Kill{Scope: scopes[constraint], Cgroup: cgroupOf(middle), Source: SourceKmsg}}, true
}

// scopes are the scopes by the kernel's name of the constraint.
var scopes = map[string]Scope{"NONE": ScopeGlobal, "CPUSET": ScopeCpuset, "MEMORY_POLICY": ScopeMempolicy, "MEMCG": ScopeMemcg}

// cgroupOf finds the cgroup that was at its limit, else the victim's.
func cgroupOf(text []byte) string {
	before, victims, ok := cutLast(text, ",task_memcg=")
	if !ok {
		return ""
	}
	if _, limited, ok := bytes.Cut(before, []byte(",oom_memcg=")); ok {
		return string(limited)
	}
	return string(victims)
}

// parseKilled makes a record of the parts of the sentence that the kernel writes of every kill:
//
//	Memory cgroup out of memory: Killed process 12 (eat) total-vm:9kB, anon-rss:7kB, file-rss:1kB, shmem-rss:0kB, UID:0 ...
func parseKilled(why string, number, sizes []byte) (record, bool) {
	pid, ok := parsePID(number)
	if !ok {
		return record{}, false
	}
	kill := Kill{VictimRSSKiB: residentOf(sizes), Source: SourceKmsg}
	if why == "Memory cgroup out of memory" {
		kill.Scope = ScopeMemcg
	}
	return record{pid: pid, killed: true, kill: kill}, true
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
