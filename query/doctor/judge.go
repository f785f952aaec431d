// Package doctor judges what a machine allows a recorder: [ReadMachine], [ReadClock] and [TryFolder] find facts out, others add what a sampler
// and a log's server allow, and [Judge], which is pure, makes checks of them.
package doctor

import "slices"

// Judge makes checks of facts, in the order in which they are shown.
func Judge(f Facts) []Check {
	return slices.Concat(judgeMachine(f), judgeSampler(f), judgeFolder(f), judgeLog(f))
}
