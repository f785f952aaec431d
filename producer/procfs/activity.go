package procfs

// activity is what a process did since the last scan.
type activity int

const (
	asleep     activity = iota // it did not run
	idle                       // it may have run, but did nothing that stat measures
	busy                       // it ran
	newProgram                 // it runs a program that we have not seen it run
)

// activity says what the process did between e's stat and s, which was read next.
func (e *entry) activity(s stat, slept bool) activity {
	switch {
	case !e.known, s.executedSince(e.stat), !s.ended() && string(s.comm) != e.process.Comm:
		return newProgram
	case !s.idleSince(e.stat):
		return busy
	case slept:
		return asleep
	default:
		return idle
	}
}
