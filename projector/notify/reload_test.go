package notify

import (
	"strings"
	"testing"
	"time"
)

// reloaded has a notifier take over a file in which a receiver that is down has moved and another one is new, while notices wait, and later a file without the new one.
// It returns what is wrong with what the two were told.
func reloaded(t *testing.T, fault func(*Notifier)) (problems []string) {
	t.Helper()
	gone, moved, extra := freeAddress(t), freeAddress(t), freeAddress(t)
	w, first, second := newWorld(t, webhook(gone), nil), newReceiver(), newReceiver()
	reload := func(text string) {
		c, err := ReadConfig(w.file("notify.yaml", text))
		check(t, err)
		w.notifier.Reload(c)
		if fault != nil {
			fault(w.notifier)
		}
	}
	for i := range 6 {
		w.publish("oom", i, nil)
		w.pass(time.Minute)
	}
	w.publish("oom", 0, w.ended)
	w.pass(time.Minute)
	first.listen(t, moved)
	second.listen(t, extra)
	reload(webhook(moved) + "  - name: second\n    webhook: {url: \"http://" + extra + "/\"}\n")
	w.pass(time.Second) // it is tried at once, though the next try was minutes away
	if first.defects(6, 0) != nil {
		problems = append(problems, "after the reload the receiver was not told what waited")
	}
	w.publish("leak", 6, nil)
	for range 10 {
		w.pass(time.Minute)
	}
	reload(webhook(moved))
	for i := range 7 {
		w.publish([]string{"oom", "leak"}[i/6], i, w.ended)
	}
	for range 10 {
		w.pass(time.Minute)
	}
	w.open()
	w.pass(time.Minute)
	if trouble := w.trouble.Open(); len(trouble) > 0 {
		problems = append(problems, "trouble is left: "+trouble[0].Reason)
	}
	return append(append(problems, first.defects(7, 7)...), second.defects(1, 0)...)
}

// TestNotify_Reload holds the promise: a reload of the receivers neither loses nor doubles a notice. The control: one that begins anew with each file.
func TestNotify_Reload(t *testing.T) {
	if problems := reloaded(t, nil); problems != nil {
		t.Error(strings.Join(problems, "\n"))
	}
	if reloaded(t, func(n *Notifier) { clear(n.state.Receivers) }) == nil {
		t.Error("control: a notifier that forgets at each reload loses nothing")
	}
}
