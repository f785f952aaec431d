package compare

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// madeSlices are n slices of a machine on which forty commands use CPU time that varies by a tenth; one of them uses factor times as much.
func madeSlices(random *rand.Rand, n int, factor float64) (side []slice) {
	for range n {
		s := slice{}
		for i := range 40 {
			used := 20 * (1 + 0.1*random.NormFloat64()) / float64(i+1)
			if i == 1 {
				used *= factor
			}
			s[cell{"command", fmt.Sprintf("c%02d", i), 0}] = used
		}
		side = append(side, s)
	}
	return side
}

// TestWindows_AlarmsAndFinds makes windows with and without a change of one command: without one, at most one pair in twenty may have
// an alarm; with one, the command is found and comes first. The control labels the slices at random.
func TestWindows_AlarmsAndFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	const pairs = 100
	alarms, found, shuffled := 0, 0, 0
	first := func(all []Difference) Difference { return all[0] }
	for range pairs {
		if d := first(windowsOf(madeSlices(random, 12, 1), madeSlices(random, 12, 1), DefaultMinRelative)); d.Verdict == More || d.Verdict == Less {
			alarms++
		}
		now, before := madeSlices(random, 12, 2), madeSlices(random, 12, 1)
		if d := first(windowsOf(now, before, DefaultMinRelative)); d.Verdict == More && d.Key == "c01" && d.Share > 0 {
			found++
		}
		all := append(now, before...)
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if d := first(windowsOf(all[:12], all[12:], DefaultMinRelative)); d.Verdict == More || d.Verdict == Less {
			shuffled++
		}
	}
	t.Logf("of %d pairs: %d alarms without a change, %d found, %d alarms with shuffled labels", pairs, alarms, found, shuffled)
	if alarms > pairs/20 || found < pairs*95/100 || shuffled > pairs/20 {
		t.Errorf("of %d pairs: %d alarms without a change, %d found, %d alarms with shuffled labels", pairs, alarms, found, shuffled)
	}
}

// TestWindows_ChoosesWithoutLooking: which keys are tested does not depend on which window has them.
func TestWindows_ChoosesWithoutLooking(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	a, b := madeSlices(random, 6, 5), madeSlices(random, 6, 1)
	x, y := largest(a, b), largest(b, a)
	if len(x) != mostTested || fmt.Sprint(x) != fmt.Sprint(y) {
		t.Errorf("tested are %v one way, %v the other", x, y)
	}
}
