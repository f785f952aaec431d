package jobs

import (
	"strconv"
	"strings"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// root is the user who may claim any name.
const root = 0

// names says which user each job's name belongs to while the job is open, so that nobody joins another user's job by its
// name. A name that the fleet has belongs to the user whom the fleet's conductor named. The zero value knows none.
type names struct {
	holders map[schema.JobKey]*holder
}

// holder is the user that a name belongs to.
type holder struct {
	uid      int
	declared bool // a job event or a rule says so, and not what a process says of itself
}

// hostJob is the key of a host's own job.
func hostJob(name string) schema.JobKey { return schema.JobKey{ID: name} }

// fleetJob is the key of a job of the fleet.
func fleetJob(name string) schema.JobKey { return schema.JobKey{ID: name, Fleet: true} }

// claim is the job under which a user's process is recorded when the process itself names one. While the fleet has a job of
// the name, root and the user whom its conductor named are in that one. Otherwise it is the name as it is when nobody holds
// it, who then does, or when that user or root asks; else a name of that user's own.
func (n *names) claim(name string, uid int) schema.JobKey {
	if n.holders[fleetJob(name)] != nil {
		h := n.holders[hostJob(name)]
		switch {
		case n.admits(name, uid):
			return fleetJob(name)
		case h != nil && h.declared && h.uid == uid:
			return hostJob(name)
		}
		return hostJob(personalName(name, uid))
	}
	if !n.allows(name, uid) {
		return hostJob(personalName(name, uid))
	}
	if n.holders[hostJob(name)] == nil && !isPersonal(name) {
		n.hold(hostJob(name), holder{uid: uid})
	}
	return hostJob(name)
}

// admits reports whether a user's process may join the fleet's job of a name by naming it.
func (n *names) admits(name string, uid int) bool {
	h := n.holders[fleetJob(name)]
	return h != nil && (uid == root || h.uid == uid)
}

// byRule is the job of a name that a rule gives: the fleet's where there is one.
func (n *names) byRule(name string) schema.JobKey {
	return schema.JobKey{ID: name, Fleet: n.holders[fleetJob(name)] != nil}
}

// declareFleet notes what the fleet's conductor says of a job: that it is of a user beside root, when uid is known. It
// reports whether the name is new to the fleet.
func (n *names) declareFleet(name string, uid schema.Opt[int64]) (isNew bool) {
	h := n.holders[fleetJob(name)]
	switch {
	case h == nil:
		n.hold(fleetJob(name), holder{uid: int(uid.Or(root)), declared: true})
	case uid.Known:
		h.uid, h.declared = int(uid.V), true
	}
	return h == nil
}

// declare is the name of a job that was declared to be of a user. Root takes a name that nobody declared from the user
// who claimed it, which is then displaced.
func (n *names) declare(name string, uid int) (granted string, displaced bool) {
	if !n.allows(name, uid) {
		return personalName(name, uid), false
	}
	if isPersonal(name) {
		return name, false
	}
	h := n.holders[hostJob(name)]
	displaced = h != nil && h.uid != uid && !h.declared
	if h == nil || displaced || h.uid == uid {
		n.hold(hostJob(name), holder{uid: uid, declared: true})
	}
	return name, displaced
}

// allows reports whether a user's process may have a name.
func (n *names) allows(name string, uid int) bool {
	if uid == root {
		return true
	}
	if base, owner, ok := splitPersonal(name); ok {
		return base != "" && owner == uid
	}
	h := n.holders[hostJob(name)]
	return h == nil || h.uid == uid
}

// isHeld reports whether a name belongs to anybody.
func (n *names) isHeld(name string) bool {
	return n.holders[hostJob(name)] != nil || n.holders[fleetJob(name)] != nil || isPersonal(name)
}

func (n *names) hold(key schema.JobKey, h holder) {
	if n.holders == nil {
		n.holders = map[schema.JobKey]*holder{}
	}
	n.holders[key] = &h
}

// end notes that a job was said to have ended. Its name is free when none of its processes is left.
func (n *names) end(key schema.JobKey) {
	if h := n.holders[key]; h != nil {
		h.declared = false
	}
}

// release frees the names that are neither declared nor in use.
func (n *names) release(isOpen, isUsed func(schema.JobKey) bool) {
	for key, h := range n.holders {
		if !(h.declared && isOpen(key)) && !isUsed(key) {
			delete(n.holders, key)
		}
	}
}

// personalName is the name of a user's own for a job whose name belongs to another: name~uid.
func personalName(name string, uid int) string {
	suffix := "~" + strconv.Itoa(uid)
	return procfs.ValidText(name, schema.MaxName-len(suffix)) + suffix
}

// splitPersonal splits a name of the form name~uid.
func splitPersonal(name string) (base string, uid int, ok bool) {
	i := strings.LastIndexByte(name, '~')
	if i < 0 {
		return name, 0, false
	}
	uid, err := strconv.Atoi(name[i+1:])
	return name[:i], uid, err == nil && strconv.Itoa(uid) == name[i+1:] && uid >= 0
}

func isPersonal(name string) bool {
	_, _, ok := splitPersonal(name)
	return ok
}
