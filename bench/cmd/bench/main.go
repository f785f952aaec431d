// Command bench measures proctape from outside, as its users see it, and prints figures against the bars that they are
// to meet. It asserts nothing: what a machine that others share makes of a figure is for the reader to judge.
//
//	bench table [-only replay,storm]   all figures once, in some minutes
//	bench data -data FOLDER            the reads of ten million process rows, while a recorder writes
//	bench grow -out FOLDER             how cost grows with processes, hosts and rows, as CSV files
//	bench steady -for 1h -hosts 200    what a recorder of so many hosts needs, minute by minute, as a CSV file
//
// It runs bin/proctape or what -proctape names, and never looks inside: two versions can be measured with one bench.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bench is one run of the program.
type bench struct {
	ctx      context.Context
	proctape string // the program that is measured
	helpers  string // folder of load and inserts, and of this program
	dir      string // for what is made; removed afterwards
	largest  string // folder of the ten million rows, which stays
	rounds   int
	machine  machine

	children []*child
	figures  []figure
	notes    []string // what was left out, and why
}

// section measures some figures.
type section struct {
	name string
	run  func(*bench) error
}

// sections are what the table is made of.
var sections = []section{
	{"go", (*bench).besideTheCode},
	{"replay", (*bench).replay},
	{"sample", (*bench).samplers},
	{"storm", (*bench).storm},
	{"fleet", (*bench).fleet},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	if len(args) == 0 {
		return errors.New("want: bench table, bench data, bench grow or bench steady")
	}
	flags := flag.NewFlagSet("bench "+args[0], flag.ContinueOnError)
	b := &bench{}
	flags.StringVar(&b.proctape, "proctape", "bin/proctape", "`program` to measure")
	flags.IntVar(&b.rounds, "rounds", 3, "how `often` to measure what varies")
	only := flags.String("only", "", "the `sections` to measure, of go, replay, sample, storm and fleet (default: all); of processes, hosts and rows for grow")
	lines := flags.Bool("lines", false, "print lines that benchstat reads, in place of the table")
	flags.StringVar(&b.largest, "data", "bin/bench-data", "`folder` of the ten million rows; made when it is not there")
	out := flags.String("out", "bench/results", "`folder` for the CSV files")
	hosts := flags.Int("hosts", 200, "how `many` of them steady simulates")
	lasts := flags.Duration("for", time.Hour, "how `long` steady looks")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	b.ctx = ctx
	if err := b.place(); err != nil {
		return err
	}
	defer func() {
		b.sweep()
		err = errors.Join(err, os.RemoveAll(b.dir))
	}()
	b.machine = thisMachine()
	switch args[0] {
	case "table":
		err = b.table(*only)
	case "data":
		err = b.data(b.largest)
	case "grow":
		return b.grow(*out, *only)
	case "steady":
		err = b.steady(*out, *hosts, *lasts)
	default:
		return fmt.Errorf("no such thing to do: %q", args[0])
	}
	if *lines {
		b.printLines(os.Stdout)
	} else {
		b.print(os.Stdout)
	}
	return err
}

// place finds the programs and makes the folder. It is beside this program, because a folder for temporary files may be
// in memory.
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

// table measures the sections whose names are given, or all. One that fails does not keep the others from being measured.
func (b *bench) table(only string) error {
	names := strings.FieldsFunc(only, func(r rune) bool { return r == ',' })
	for _, name := range names {
		if !slices.ContainsFunc(sections, func(s section) bool { return s.name == name }) {
			return fmt.Errorf("no section %q", name)
		}
	}
	var failed error
	for _, s := range sections {
		if len(names) > 0 && !slices.Contains(names, s.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "bench:", s.name)
		if err := s.run(b); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", s.name, cmp.Or(b.ctx.Err(), err)))
		}
		b.sweep()
		if b.ctx.Err() != nil {
			break
		}
	}
	return failed
}

// add adds a figure, with one value a round.
func (b *bench) add(name, unit string, bar bar, values ...float64) {
	b.figures = append(b.figures, figure{name: name, unit: unit, bar: bar, values: values})
}

// note says something once.
func (b *bench) note(text string) {
	if !slices.Contains(b.notes, text) {
		b.notes = append(b.notes, text)
	}
}

// folder makes an empty folder to work in. Its name is short, for the path of a socket has to fit into 107 bytes.
func (b *bench) folder() (string, error) { return os.MkdirTemp(b.dir, "d") }
