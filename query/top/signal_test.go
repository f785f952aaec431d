package top

import (
	"strings"
	"testing"
)

// A signal goes to what is there now, on this machine, and to nothing else.
func TestSignal_Refuses(t *testing.T) {
	for name, test := range map[string]struct {
		given func(m *Model)
		want  string
	}{
		"the past":         {func(m *Model) { m.clock.mode = past }, "only what is live"},
		"what is held":     {func(m *Model) { m.clock.mode = held }, "only what is live"},
		"another machine":  {func(m *Model) { m.frame.Hosts[0].BootID = "another" }, "dev is another machine"},
		"an unknown boot":  {func(m *Model) { m.opts.BootID, m.frame.Hosts[0].BootID = "", "" }, "dev is another machine"},
		"one that ended":   {func(m *Model) { press1(m, "end") }, "it has ended"},
		"a group":          {func(m *Model) { press1(m, "g") }, "a group gets no signal"},
		"an empty list":    {func(m *Model) { press1(m, "/"); typed(m, "nothing-like-it"); press1(m, "enter") }, "nothing to signal"},
		"a missing signal": {func(m *Model) { press1(m, "k", "ctrl+u"); typed(m, "nonsense"); press1(m, "enter") }, "no signal: TERM"},
	} {
		m := testModel(t, 30)
		m.opts.BootID, m.frame.Hosts[0].BootID = "boot", "boot"
		test.given(m)
		if m.prompt == nil {
			press1(m, "k")
		}
		if got := m.View().Plain(); !strings.Contains(got, test.want) {
			t.Errorf("%s: the screen does not say %q:\n%s", name, test.want, got)
		}
		if asked(m.Requests(), func(AskSignal) bool { return true }) {
			t.Errorf("%s: a signal is sent", name)
		}
	}
}

// Esc sends nothing, and tagged processes get it together.
func TestSignal_Question(t *testing.T) {
	m := testModel(t, 30)
	m.opts.BootID, m.frame.Hosts[0].BootID = "boot", "boot"
	m.Update(Ticked{now + 60}) // of a machine that is too busy to be sampled
	press1(m, "k", "esc")
	if asked(m.Requests(), func(AskSignal) bool { return true }) || m.prompt != nil {
		t.Error("Esc sends a signal")
	}
	press1(m, "u", "down", "u", "k")
	if got := m.View().Plain(); !strings.Contains(got, "signal to 2 tagged processes") {
		t.Errorf("the question is not about both:\n%s", got)
	}
	press1(m, "enter")
	if !asked(m.Requests(), func(a AskSignal) bool { return len(a.To) == 2 && a.Signal == 15 }) {
		t.Error("Enter sends no TERM to both")
	}
}
