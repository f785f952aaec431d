package scrub

// Mode says how much of a command line leaves the machine.
type Mode string

// The modes, from least to most private.
const (
	Full     Mode = "full"     // every argument as it is
	Scrubbed Mode = "scrubbed" // every argument, with secret values replaced by "***"
	None     Mode = "none"     // the program alone
)

// A Scrubber renders commands. It never changes after New, so goroutines may share it.
type Scrubber struct {
	mode   Mode
	extra  []string
	shapes shapeIndex
}
