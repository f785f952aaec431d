package lifecycle

import (
	"cmp"
	"strings"
	"time"

	"github.com/proctape/proctape/producer/lifecycle/netlink"
	"github.com/proctape/proctape/schema"
)

// A process is what a tracker knows of one process, from its fork on.
type process struct {
	pid    int
	parent schema.Opt[int64] // the process that forked it, or that was its parent when it was first seen
	uid    schema.Opt[int64]
	kernel bool // a kernel thread, whose events are left out

	boot       int64  // boot time of its fork, else of its start
	start      uint64 // in ticks
	startKnown bool   // boot and start are known
	startExact bool   // start is /proc's own

	command     string // of /proc, since it last executed a program; empty when not read
	image       *image // the program it executes
	comm        string // the short name in its record
	lastCommand string // the command line of its last spawn or exec that was taken, or of before the first exec
	source      string // of its spawn

	threads      int // alive; good while epoch is the tracker's
	epoch        int
	lastScan     int    // the last scan that showed it
	scannedAt    int64  // boot time of that
	scansWithout int    // scans since that did not
	checked      int    // epoch in which it was found alive though no scan shows it
	cpu          uint64 // ms, in the last scan

	spawnQueued, inToDescribe, inWaiting bool // its spawn is queued; it is in tracker.toDescribe; in endings.waiting

	spawnWaits  bool       // its spawn is queued and was not taken
	spawnImage  *image     // what it executed first, when it executed another program while its spawn waited; nil: its image
	hasExecuted bool       // it has executed a program since its fork, or since it was first seen
	waitingExec *execution // its last exec, while that waits to be taken

	leaderGone    bool   // the first thread has ended, or may have: a scan does not show it
	status        uint32 // wait status: of the process if last, else of the thread that ended last
	last          bool   // a record said that the process has ended
	exitQueued    bool   // it has ended: its exit is queued
	exitTaken     bool   // its exit was taken
	endedUnseen   bool   // it has ended and nobody knows how
	dropped       bool   // no more events of it will come
	endedAt       int64  // boot time of the last thread's end
	exitReadAt    int64  // boot time of the poll that read it
	recordsDue    int    // threads whose record has not come
	recordsMissed int    // threads whose record never came

	tally // sums over the records
}

// tally is what the records of a process add up to.
type tally struct {
	recorded         bool // there is a record
	threaded         bool // it had more than one thread
	life             time.Duration
	busy             time.Duration // user and system
	system           time.Duration // of it
	peak             uint64        // KiB
	read, writeBytes uint64
	atLeast          bool // busy, system, read and writeBytes are lower bounds
}

// An image is a program and its arguments, as one exec set them. Parent and child share it after a fork, so that reading
// the command line of either is enough.
type image struct {
	command string
	exact   bool // it is what the exec set; else what /proc said later
}

// An execution is an exec that waits to be taken.
type execution struct {
	image *image
	at    int64 // boot time
}

// replaceImage notes that p executes a program whose command line is not known yet. The command
// line of before the first exec counts as published.
func (p *process) replaceImage() {
	if p.lastCommand == "" && !p.spawnWaits {
		p.lastCommand = cmp.Or(p.command, p.image.command)
	}
	p.image, p.command, p.hasExecuted = &image{}, "", true
}

// How far from a process's start its fork event may say it is, in ticks. The kernel sets the start, and may be
// interrupted, before it sends the event.
const (
	forkEarly = 2
	forkLate  = 50
)

// matches reports whether p is the process that began at ticks, as far as p's own start is known.
func (p *process) matches(ticks uint64) bool {
	switch {
	case p.startExact:
		return ticks == p.start
	case p.startKnown:
		return ticks <= p.start+forkEarly && ticks+forkLate >= p.start
	}
	return true
}

// lives reports whether p is there now, and not another that was given its pid.
func (p *process) lives(alive func(pid int) bool, describe func(pid int) (Description, bool)) bool {
	if !alive(p.pid) {
		return false
	}
	d, ok := describe(p.pid)
	return ok && p.matches(d.StartTicks)
}

// applyDescription takes over what /proc says of p.
func (p *process) applyDescription(start uint64, uid schema.Opt[int64], command string) {
	p.start, p.startExact = start, true
	if !p.startKnown {
		p.boot, p.startKnown = startOf(start), true
	}
	if uid.Known {
		p.uid = uid
	}
	if command != "" && !p.image.exact {
		p.command = command
		if p.image.command == "" {
			p.image.command = command
		}
	}
}

// dateBack derives the start of p from its end and its life, if that is known.
func (p *process) dateBack(end int64, life time.Duration) {
	if life > 0 {
		p.boot, p.startKnown = max(0, end-int64(life)), true
		p.start = ticksAt(p.boot)
	}
}

// addRecord adds the record of one of p's threads.
func (p *process) addRecord(r *netlink.Record) {
	p.threaded = p.threaded || r.Threads || r.PID != r.TGID
	if r.Last {
		p.last, p.status, p.life = true, r.Status, r.Life
	}
	p.recorded, p.atLeast = true, p.atLeast || r.AtLeast
	p.busy += r.CPU
	p.system += r.System
	p.peak = max(p.peak, r.PeakRSS)
	p.read += r.ReadBytes
	p.writeBytes += r.WriteBytes
	if p.comm == "" || r.PID == r.TGID {
		p.comm = strings.ToValidUTF8(r.Comm, "\uFFFD")
	}
	if !p.uid.Known {
		p.uid = schema.Some(int64(r.UID))
	}
	if !p.parent.Known {
		p.parent = schema.Some(int64(r.ParentTGID))
	}
}

// bestCommand is the most exact command that is known of p, and what is missing in it.
func (p *process) bestCommand() (command, wanting string) {
	switch {
	case p.command != "":
		return p.command, ""
	case p.image.command != "":
		return p.image.command, ""
	case p.comm != "":
		return p.comm, "command is only the short name: it ended before /proc could be read"
	}
	return "", "command unknown: /proc could not be read in time"
}
