// Command accuracy runs workloads as jobs under a recorder, on each rung of what a recorder may see, and compares what the recording says
// with what the kernel told the workload's own parent (wait4) and with what strace counts. It prints the table of docs/accuracy.md.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(1)
	}
}

// run does what the first word says. The tool plays the parent of a workload, the workload and the rung itself.
func run(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "measure":
			return measure(args[1], args[2:])
		case "storm":
			return storm(args[1:])
		case "burn":
			return burn(args[1:])
		case "rung":
			return playRung(args[1], args[2] == "short", args[3])
		}
	}
	flags := flag.NewFlagSet("accuracy", flag.ContinueOnError)
	program := flags.String("proctape", "bin/proctape", "the program to try")
	only := flags.String("rungs", "", "rungs, by comma; default all")
	short := flags.Bool("short", false, "a storm alone, on each rung, of some seconds")
	strict := flags.Bool("strict", false, "fail where a figure misses its bar")
	into := flags.String("into", "", "write the table into this document, between its two marks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	path, err := filepath.Abs(*program)
	if err != nil {
		return err
	}
	if !*short {
		defer reserveHugePages(8)()
	}
	var rows []row
	for _, r := range rungs {
		if *only == "" || slices.Contains(strings.Split(*only, ","), r.name) {
			rows = append(rows, tryRung(r, path, *short)...)
		}
	}
	table := tableOf(rows)
	fmt.Print(table)
	if *into != "" {
		err = write(*into, table)
	}
	if missed := slices.ContainsFunc(rows, func(r row) bool { return r.Verdict == missed }); *strict && missed {
		err = errors.Join(err, errors.New("a figure misses its bar"))
	}
	return err
}

// reserveHugePages has the kernel keep so many huge pages more, where it does, until the function that it returns is called.
func reserveHugePages(n int) (release func()) {
	const path = "/proc/sys/vm/nr_hugepages"
	before, err := os.ReadFile(path)
	had, err2 := strconv.Atoi(strings.TrimSpace(string(before)))
	if errors.Join(err, err2) != nil || os.WriteFile(path, []byte(strconv.Itoa(had+n)), 0) != nil {
		return func() {} // the workload that needs them says so
	}
	return func() { _ = os.WriteFile(path, before, 0) } // as it was; it could be written before
}

// rung is what a recorder may see.
type rung struct {
	name  string
	front []string // what the recorder and the workloads are started by
	bpf   string
	uid   int // whose the data are
}

const nobody = 65534

var rungs = []rung{
	{name: "root"},
	{name: "bpf", bpf: "on"},
	{name: "no-net-admin", front: []string{"setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"}},
	{name: "user", front: []string{"setpriv", "--reuid", fmt.Sprint(nobody), "--regid", fmt.Sprint(nobody), "--clear-groups"}, uid: nobody},
	{name: "pid-namespace", front: []string{"unshare", "-p", "-f", "--kill-child", "--mount-proc"}},
}

// tryRung runs all workloads on a rung. A rung that cannot be had is a row that says so.
func tryRung(r rung, program string, short bool) []row {
	dir, err := os.MkdirTemp("", "accuracy")
	if err != nil {
		return []row{{Rung: r.name, Workload: "all", Verdict: skipped, Why: err.Error()}}
	}
	defer os.RemoveAll(dir)
	tool := filepath.Join(dir, "accuracy")
	self, err := os.Executable()
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, r.uid, -1), copyProgram(self, tool))
	}
	if r.uid != 0 { // who may not come to where the program lies
		own := filepath.Join(dir, "proctape")
		err, program = errors.Join(err, copyProgram(program, own)), own
	}
	length := "long"
	if short {
		length = "short"
	}
	cmd := exec.Command(tool, "rung", dir, length, program)
	if len(r.front) > 0 {
		cmd = exec.Command(r.front[0], append(r.front[1:len(r.front):len(r.front)], cmd.Args...)...)
	}
	cmd.Env = append(os.Environ(), "ACCURACY_BPF="+r.bpf, "HOME="+dir, "TMPDIR="+dir)
	cmd.Stderr = os.Stderr
	out, runErr := cmd.Output()
	var rows []row
	if err = errors.Join(err, runErr); err == nil {
		err = json.Unmarshal(out, &rows)
	}
	if err != nil {
		return []row{{Rung: r.name, Workload: "all", Verdict: skipped, Why: err.Error()}}
	}
	for i := range rows {
		rows[i].Rung = r.name
	}
	return rows
}

func copyProgram(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}
