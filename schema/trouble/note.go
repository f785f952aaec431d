package trouble

import "time"

// noteEach is how long the repetitions of a note are only counted.
const noteEach = time.Minute

// maxNotes is how many notes are told apart: others may choose what they are about.
const maxNotes = 1000

// Note has a line for something that went wrong for a moment, as a message that cannot be read. What comes again within a
// minute is only counted; the next line says how many there were.
func (r *Reporter) Note(t Trouble) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k, now := key{t.Kind, t.About}, time.Now()
	n := r.noted[k]
	if n != nil && now.Sub(n.said) < noteEach {
		n.more++
		return
	}
	args := []any{"kind", string(t.Kind), "about", t.About, "reason", t.Reason}
	if n != nil && n.more > 0 {
		args = append(args, "more_since", n.more)
	}
	if len(r.noted) >= maxNotes {
		clear(r.noted)
	}
	r.noted[k] = &note{said: now}
	info, _ := t.Kind.Info()
	r.log.Warn(info.Doc, args...)
}
