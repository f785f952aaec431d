package why

import (
	"fmt"
	"slices"
	"time"

	"github.com/proctape/proctape/query"
)

// unknownOf is what is not known of a life, in words.
func unknownOf(e *evidence, cause Cause) []string {
	unknown := []string{}
	add := func(format string, args ...any) { unknown = append(unknown, fmt.Sprintf(format, args...)) }
	if e.life.Born == nil {
		add("its start: it was there before it was seen first")
	}
	if len(e.ancestors) == 0 {
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
	case cause == Signalled:
		add("who sent the signal")
	case cause == NotKnown && end == nil:
		add("when and how it ended")
	}
	switch last := e.samples.last; {
	case e.samples.count == 0:
		add("how it grew: no sample shows it")
	case end != nil && end.Timestamp-last.Timestamp >= 0.1:
		add("its memory in the last %s of its life, after the last sample", duration(end.Timestamp-last.Timestamp))
	}
	return append(unknown, gapTexts(e.gaps)...)
}

// gapTexts say what the record of its host lacks while it lived, each kind once.
func gapTexts(gaps []query.Gap) (texts []string) {
	counts := map[string]int{}
	var kinds []string
	for _, g := range gaps {
		kind := string(g.Kind)
		if counts[kind]++; counts[kind] == 1 {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		text := fmt.Sprintf("what is lost to a gap of the kind %s", kind)
		if n := counts[kind]; n > 1 {
			text = fmt.Sprintf("what is lost to %d gaps of the kind %s", n, kind)
		}
		texts = append(texts, text)
	}
	return texts
}

func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
