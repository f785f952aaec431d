package procfs

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// The files of a process are those of its first thread. When that has ended and others go on, stat still counts for all of
// them, but names the dead one's state, and what needs the memory map or the table of files is empty. A thread that lives has
// the same files below task, man proc_pid_task(5), and what it says of the program holds for all threads.

// maxThreadsTried is how many threads are tried: of those that are not the first, hardly any is dead and still listed.
const maxThreadsTried = 16

// headless reports whether the first thread has ended and others have not.
func (s stat) headless() bool { return s.ended() && s.threads > 1 }

// completeStat puts into s what a living thread says of the program, if the first thread has ended, and notes which thread
// that is.
func (fs *updater) completeStat(e *entry, s *stat) {
	thread := 0
	if s.headless() {
		if fs.threadBuffer == nil {
			fs.threadBuffer = make([]byte, 2*statBufferSize)
		}
		if living, ok := fs.readThread(e, e.thread); ok || fs.findThread(e, &living) {
			thread = living.pid
			s.state, s.startCode, s.startStack = living.state, living.startCode, living.startStack
		}
	}
	if thread != e.thread {
		fs.dropBusy(e) // these files are the other thread's
		e.thread = thread
	}
}

// findThread finds a living thread of e.
func (fs *updater) findThread(e *entry, living *stat) bool {
	for _, thread := range fs.listThreads(e) {
		var ok bool
		if *living, ok = fs.readThread(e, thread); ok {
			return true
		}
	}
	return false
}

// listThreads returns the first threads of e in the listing, but for the very first.
func (fs *updater) listThreads(e *entry) (threads []int) {
	task, err := openAt(fs.rootFD, e.name+"/task", unix.O_DIRECTORY)
	if err != nil {
		return nil
	}
	defer unix.Close(task)
	_ = readDir(task, fs.threadBuffer, func(_ uint64, name []byte) { // some are as good as all
		if tid, ok := parsePID(name); ok && tid != e.pid && len(threads) < maxThreadsTried {
			threads = append(threads, tid)
		}
	})
	return threads
}

// readThread reads the stat of a thread of e, and reports whether it lives. Thread 0 does not.
func (fs *updater) readThread(e *entry, thread int) (stat, bool) {
	if thread == 0 {
		return stat{}, false
	}
	data, err := readSmall(fs.rootFD, e.name+"/task/"+strconv.Itoa(thread)+"/stat", fs.threadBuffer)
	if err != nil {
		return stat{}, false
	}
	s, err := parseStatOf(thread, data)
	return s, err == nil && !s.ended()
}

// openLiving opens the directory of the thread that lives while the first one, whose directory is dir, does not; dir itself
// is returned when the first one lives, or the other has ended since. The caller closes what is not dir.
func (e *entry) openLiving(dir int) int {
	if e.thread == 0 {
		return dir
	}
	living, err := openAt(dir, "task/"+strconv.Itoa(e.thread), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return dir
	}
	return living
}
