// Command bench measures proctape from outside, as its users see it. It prints each figure beside the bar that the figure
// should meet. It asserts nothing: on a machine with other users, the reader must judge what a figure means.
//
//	bench table [-only replay,storm]   all figures once, in some minutes
//	bench data -data FOLDER            the reads of ten million process rows, while a recorder writes
//	bench ask -data FOLDER             of these, what the commands take
//	bench grow -out FOLDER             how cost grows with processes, hosts and rows, as CSV files
//	bench capacity -for 2m             what recorders of several fleets need a day, as a table
//	bench steady -for 1h -hosts 200    what a recorder of so many hosts needs, minute by minute, as a CSV file
//
// It runs bin/proctape, or the program that -proctape names, and imports nothing of it. So one bench can measure two versions.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// section measures some figures.
type section struct {
	name string
	run  func(*bench) error
}

// sections are the parts of the table.
var sections = []section{
	{"go", besideTheCode},
	{"replay", replay},
	{"sample", samplers},
	{"bpf", kernelSamplers},
	{"storm", storm},
	{"fleet", fleet},
	{"screen", screen},
	{"readers", readers},
	{"slow", slow},
	{"page", page},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	if len(args) == 0 {
		return errors.New("want: bench table, bench data, bench ask, bench grow, bench capacity or bench steady")
	}
	flags := flag.NewFlagSet("bench "+args[0], flag.ContinueOnError)
	b := &bench{}
	flags.StringVar(&b.proctape, "proctape", "bin/proctape", "`program` to measure")
	flags.IntVar(&b.rounds, "rounds", 3, "how `often` to measure what varies")
	only := flags.String("only", "", "the `sections` to measure, of go, replay, sample, bpf, storm, fleet, screen, readers and page (default: all); of processes, hosts and rows for grow")
	lines := flags.Bool("lines", false, "print lines that benchstat reads, in place of the table")
	flags.StringVar(&b.largest, "data", "bin/bench-data", "`folder` of the ten million rows; made when it is not there")
	out := flags.String("out", "bench/results", "`folder` for the CSV files")
	hosts := flags.Int("hosts", 200, "how `many` of them steady simulates")
	lasts := flags.Duration("for", time.Hour, "how `long` steady looks, or capacity at each fleet")
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
		err = table(b, *only)
	case "data":
		err = data(b, b.largest)
	case "ask":
		err = commands(b, b.largest)
	case "grow":
		return grow(b, *out, *only)
	case "capacity":
		return capacity(b, os.Stdout, *lasts)
	case "steady":
		err = steady(b, *out, *hosts, *lasts)
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

// table measures the sections whose names are given, or all. When one fails, the others are still measured.
func table(b *bench, only string) error {
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
