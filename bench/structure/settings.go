package structure

import _ "embed"

// What is measured of this module.
const (
	ModulePath   = "github.com/proctape/proctape"
	MessageStart = "projector/fold.Fold.Apply" // where the way of a message begins
	MessageParam = "d"                         // the parameter that holds the message
	FileLimit    = 400                         // lines of a file
)

//go:embed renames.txt
var renames []byte

// Renames returns the names that this module gave up.
func Renames() ([]Rename, error) { return ReadRenames(renames) }
