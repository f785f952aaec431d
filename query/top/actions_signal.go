package top

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query/term"
)

type (
	// AskSignal asks to send a signal to processes of this machine. Each is to get it only if it is still the same process.
	AskSignal struct {
		Signal unix.Signal
		To     []Target
	}
	// Target is a process to signal.
	Target struct {
		PID   int64
		Start int64 // hundredths of a second after boot
		Name  string
	}
)

// askSignal asks which signal the tagged processes, or else the selected one, are to get.
func askSignal(m *Model) {
	targets, err := targetsOf(m)
	if err != nil {
		say(m, err.Error())
		return
	}
	m.prompt = &prompt{label: "signal to " + targetsText(targets) + " (Esc: none)", text: "TERM", done: func(m *Model, text string) error {
		signal, err := parseSignal(text)
		if err != nil {
			return err
		}
		request(m, AskSignal{signal, targets})
		return nil
	}}
}

// targetsOf are the processes that a signal is for. Signals go to what is live, to processes of the machine on which the screen is. A machine
// that is too busy to be sampled in time is where they are wanted most: whoever sends them compares who gets them.
func targetsOf(m *Model) ([]Target, error) {
	if m.clock.mode != live {
		return nil, errors.New("only what is live gets a signal: . shows what is now")
	}
	var rows []*Row
	for i := range m.frame.Rows {
		if r := &m.frame.Rows[i]; m.list.tags[r.ID()] {
			rows = append(rows, r)
		}
	}
	if r := selection(m); len(m.list.tags) == 0 && r != nil {
		rows = append(rows, r)
	}
	var targets []Target
	for _, r := range rows {
		switch {
		case r.place.group != nil:
			return nil, errors.New("a group gets no signal: Enter shows its processes")
		case !isHere(m, r.Host):
			return nil, fmt.Errorf("%s is another machine, or has been started again: its processes get no signal from here", term.Safe(r.Host))
		case r.End == nil && !r.Missing:
			targets = append(targets, Target{r.PID, r.StartTicks, r.Command})
		}
	}
	if len(targets) == 0 {
		return nil, errors.New("it has ended: there is nothing to signal")
	}
	return targets, nil
}

// isHere reports whether a host is the machine on which the screen is, since its boot.
func isHere(m *Model, host string) bool {
	for i := range m.frame.Hosts {
		if h := &m.frame.Hosts[i]; h.HostAt.Host == host {
			return h.BootID != "" && h.BootID == m.opts.BootID
		}
	}
	return false
}

func targetsText(targets []Target) string {
	if len(targets) == 1 {
		return fmt.Sprintf("%s %d", term.Fit(term.Safe(targets[0].Name), 24), targets[0].PID)
	}
	return fmt.Sprintf("%d tagged processes", len(targets))
}

// parseSignal reads a signal's name, with or without SIG, or its number.
func parseSignal(text string) (unix.Signal, error) {
	text = strings.ToUpper(strings.TrimSpace(text))
	var number int
	if _, err := fmt.Sscanf(text+"\n", "%d\n", &number); err == nil && number > 0 && number <= 64 {
		return unix.Signal(number), nil
	}
	if s := unix.SignalNum("SIG" + strings.TrimPrefix(text, "SIG")); s != 0 {
		return s, nil
	}
	return 0, errors.New("no signal: TERM, KILL, INT, HUP, STOP, CONT and others, or 1 to 64")
}

// signalText says what was sent. What was not is an error.
func signalText(r AskSignal) string {
	return fmt.Sprintf("sent %s to %s", strings.TrimPrefix(unix.SignalName(r.Signal), "SIG"), targetsText(r.To))
}
