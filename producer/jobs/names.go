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
// name. The zero value knows none.
type names struct {
	holders map[string]*holder
}

// holder is the user that a name belongs to.
type holder struct {
	uid      int
	declared bool // a job event or a rule says so, and not what a process says of itself
}

// claim is the name under which a user's process is recorded when the process itself names a job: the name as it is when
// nobody holds it, who then does, or when that user or root asks; else a name of that user's own.
func (n *names) claim(name string, uid int) string {
	if !n.allows(name, uid) {
		return personalName(name, uid)
	}
	if n.holders[name] == nil && !isPersonal(name) {
		n.hold(name, holder{uid: uid})
	}
	return name
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
	h := n.holders[name]
	displaced = h != nil && h.uid != uid && !h.declared
	if h == nil || displaced || h.uid == uid {
		n.hold(name, holder{uid: uid, declared: true})
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
	h := n.holders[name]
	return h == nil || h.uid == uid
}

// isHeld reports whether a name belongs to anybody.
func (n *names) isHeld(name string) bool { return n.holders[name] != nil || isPersonal(name) }

func (n *names) hold(name string, h holder) {
	if n.holders == nil {
		n.holders = map[string]*holder{}
	}
	n.holders[name] = &h
}

// end notes that a job was said to have ended. Its name is free when none of its processes is left.
func (n *names) end(name string) {
	if h := n.holders[name]; h != nil {
		h.declared = false
	}
}

// release frees the names that are neither declared nor in use.
func (n *names) release(isOpen, isUsed func(name string) bool) {
	for name, h := range n.holders {
		if !(h.declared && isOpen(name)) && !isUsed(name) {
			delete(n.holders, name)
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
