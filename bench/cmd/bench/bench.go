package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// bench is one run of this program: it starts programs and keeps figures. What is measured are functions that take it.
type bench struct {
	ctx      context.Context
	proctape string // the program that is measured
	helpers  string // folder of load and inserts, and of this program
	dir      string // for temporary files; removed at the end
	largest  string // folder of the ten million rows; kept
	rounds   int
	machine  machine

	children []*child
	figures  []figure
	notes    []string // what was left out, and why
}

// place finds the programs and makes the temporary folder. The folder is beside this program, because the system's
// temporary folder may be in memory.
func (b *bench) place() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b.helpers = filepath.Dir(self)
	if b.proctape, err = filepath.Abs(b.proctape); err != nil {
		return err
	}
	if _, err := os.Stat(b.proctape); err != nil {
		return fmt.Errorf("%w: make build makes it", err)
	}
	if b.largest, err = filepath.Abs(b.largest); err != nil { // go test runs in its package's folder
		return err
	}
	b.dir, err = os.MkdirTemp(b.helpers, "run-")
	return err
}

// add adds a figure, with one value a round.
func (b *bench) add(name, unit string, bar bar, values ...float64) {
	b.figures = append(b.figures, figure{name: name, unit: unit, bar: bar, values: values})
}

// note keeps a remark for the end of the table, once.
func (b *bench) note(text string) {
	if !slices.Contains(b.notes, text) {
		b.notes = append(b.notes, text)
	}
}

// folder makes an empty folder. Its name is short, because the path of a socket must fit into 107 bytes.
func (b *bench) folder() (string, error) { return os.MkdirTemp(b.dir, "d") }
