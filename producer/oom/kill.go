package oom

import (
	"cmp"
	"fmt"

	"github.com/proctape/proctape/schema"
)

// The sources of a [Kill].
const (
	SourceKmsg   = "kmsg"   // the kernel's log named the process
	SourceCgroup = "cgroup" // the process's cgroup counted a kill
	SourceVmstat = "vmstat" // the machine counted a kill
)

// Scope says where memory was short: oom_constraint, Linux include/linux/oom.h. Empty when not known.
type Scope string

// The scopes.
const (
	ScopeMemcg     Scope = "memcg"     // a cgroup was at its limit
	ScopeGlobal    Scope = "global"    // the machine had none left
	ScopeCpuset    Scope = "cpuset"    // the memory nodes of a cpuset had none left
	ScopeMempolicy Scope = "mempolicy" // the memory nodes of a memory policy had none left
)

// Kill is what is known of a kill for want of memory.
type Kill struct {
	Scope        Scope
	Cgroup       string            // the one at its limit, or the victim's; empty when not known
	VictimRSSKiB schema.Opt[int64] // resident set of the victim when it was killed
	Likely       bool              // nothing but the time connects the kill with this process
	Source       string            // SourceKmsg, SourceCgroup or SourceVmstat
}

// merge adds what other knows of the same kill.
func (k *Kill) merge(other Kill) {
	k.Scope = cmp.Or(k.Scope, other.Scope)
	k.Cgroup = cmp.Or(k.Cgroup, other.Cgroup)
	if !k.VictimRSSKiB.Known {
		k.VictimRSSKiB = other.VictimRSSKiB
	}
}

// Details say in words what is known of the kill.
func (k Kill) Details() string {
	if k.Likely {
		return "probably out of memory: the kernel killed a process of this machine for want of memory at that time"
	}
	text := "out of memory: " + k.where()
	if k.VictimRSSKiB.Known {
		text += fmt.Sprintf("; the process held %s", size(k.VictimRSSKiB.V))
	}
	return text
}

func (k Kill) where() string {
	switch {
	case k.Scope == ScopeMemcg && k.Cgroup != "":
		return fmt.Sprintf("cgroup %.512s was at its limit", k.Cgroup)
	case k.Scope == ScopeMemcg:
		return "its cgroup was at its limit"
	case k.Scope == ScopeGlobal:
		return "the machine had none left"
	case k.Scope == ScopeCpuset:
		return "the memory nodes of its cpuset had none left"
	case k.Scope == ScopeMempolicy:
		return "the memory nodes that its policy allows had none left"
	case k.Cgroup != "":
		return fmt.Sprintf("the kernel killed a process of cgroup %.512s", k.Cgroup)
	default:
		return "the kernel killed it"
	}
}

func size(kib int64) string {
	if kib < 10<<10 {
		return fmt.Sprintf("%d KiB", kib)
	}
	return fmt.Sprintf("%d MiB", kib>>10)
}
