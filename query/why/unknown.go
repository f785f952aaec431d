package why

import (
	"fmt"
	"strings"
	"time"

	"github.com/proctape/proctape/schema"
)

// unknownOf is what is not known of a life, in words.
func unknownOf(e *evidence, cause Cause) []string {
	unknown := []string{}
	add := func(format string, args ...any) { unknown = append(unknown, fmt.Sprintf(format, args...)) }
	if e.life.Born == nil {
		add("its start: it was there before it was seen first")
	}
	if len(e.ancestors) == 0 && e.life.PID != 1 {
		add("of whom it was born")
	}
	for _, x := range e.execs {
		if x.Command == nil {
			add("what it executed once: the command line was not read in time")
			break
		}
	}
	end := e.end()
	switch {
	case cause == Signalled && (end == nil || !strings.Contains(end.Details, schema.SentBy)):
		add("who sent the signal")
	case cause == NotKnown && end == nil:
		add("when and how it ended")
	}
	switch last := e.samples.Last; {
	case e.samples.Count == 0:
		add("how it grew: no sample shows it")
	case end != nil && end.Timestamp-last.Timestamp >= 0.1:
		add("its memory in the last %s of its life, after the last sample", duration(end.Timestamp-last.Timestamp))
	}
	return unknown
}

func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
