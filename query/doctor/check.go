package doctor

// State is what came of a check.
type State string

// The states.
const (
	There State = "there" // it is as it should be
	Lacks State = "lacks" // something is missing, and what is recorded lacks it too
	Note  State = "note"  // a fact, or something that nobody here needs
)

// Check is one thing that was tried.
type Check struct {
	Part   string `json:"part"`  // machine, sampler, folder or log
	Name   string `json:"check"` // a word or two
	State  State  `json:"state"`
	Detail string `json:"detail"`          // what was found, one line
	Grant  string `json:"grant,omitempty"` // of what lacks: the command that grants it, or what to do where no command does
	Costs  string `json:"costs,omitempty"` // what it costs to have it: CPU, disk, or whom one has to trust
}

// Missing are the checks that lack something.
func Missing(checks []Check) (missing []Check) {
	for _, c := range checks {
		if c.State == Lacks {
			missing = append(missing, c)
		}
	}
	return missing
}
