package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	xterm "golang.org/x/term"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/top"
)

// wantsScreen reports whether top shows its screen: on a terminal that can be steered, unless a flag asks for a list.
func wantsScreen(cmd *cobra.Command) bool {
	for _, flag := range []string{"once", "since", "until", "run", "limit", "columns", "by", "json", "csv", "wide"} {
		if cmd.Flags().Changed(flag) {
			return false
		}
	}
	in, ok := cmd.InOrStdin().(*os.File)
	return ok && xterm.IsTerminal(int(in.Fd())) && isTerminal(cmd.OutOrStdout()) && os.Getenv("TERM") != "dumb"
}

// sortColumns are the columns of the screen by which the figures of --sort are sorted. The others of --sort are of a range.
var sortColumns = map[string]string{"cpu": "cpu", "mem": "rss", "io": "disk", "net": "net", "faults": "faults"}

// screenGarbage is how much garbage may lie beside what a screen holds, in percent of that.
const screenGarbage = 40

// showTop shows the screen until somebody quits. Since is from when on the record is known; 0 where it is a recording of its own.
func showTop(cmd *cobra.Command, t *topFlags, f *query.Filter, at time.Time, since float64, source top.Source) error {
	o := top.Options{
		Columns: keptColumns(), Host: f.Host, Filter: screenFilter(f), Sort: sortColumns[t.metric], Interval: t.interval, Since: since, Location: time.Local, ASCII: top.IsASCII(os.Getenv), User: userName, BootID: bootID(),
		Time: func(text string, now float64) (float64, error) {
			got, err := parseTime(text, time.Unix(0, int64(now*1e9)).In(time.Local))
			return timestamp(got), err
		},
	}
	if !at.IsZero() {
		o.At = timestamp(at)
	}
	m, err := top.NewModel(o)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(screenGarbage) // most of what it holds are snapshots, of which a new one comes every few seconds
	}
	// Without this these signals would end the program and leave the terminal as the screen has it.
	ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGHUP, unix.SIGQUIT)
	defer stop()
	hands := top.Hands{Keep: keepColumns, Signal: sendSignal, Mouse: !t.noMouse}
	return top.Run(ctx, m, source, hands, cmd.InOrStdin(), screen(cmd.OutOrStdout()), os.Environ())
}

// screenFilter is what flags pick, as the screen's filter says it.
func screenFilter(f *query.Filter) string {
	var terms []string
	add := func(name, value string) { terms = append(terms, name+"="+quoted(value)) }
	if f.Job != "" {
		add("job", f.Job)
	}
	if f.PID != 0 {
		add("pid", strconv.FormatInt(f.PID, 10))
	}
	if f.UID != nil {
		add("user", userName(*f.UID))
	}
	if f.Cgroup != "" {
		add("cgroup", f.Cgroup)
	}
	if f.Step != nil {
		add("step", strconv.FormatInt(*f.Step, 10))
	}
	if f.Command != "" {
		terms = append(terms, quoted(f.Command))
	}
	return strings.Join(terms, " ")
}

// quoted is a text as the screen's filter reads it: between quotes, which cannot stand in it.
func quoted(s string) string {
	if strings.ContainsAny(s, " |") || strings.HasPrefix(s, "-") || strings.HasPrefix(s, "~") {
		return `"` + strings.ReplaceAll(s, `"`, "") + `"`
	}
	return s
}

// columnsFile is where the columns that somebody chose on the screen are kept; empty when there is no place for settings.
func columnsFile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "proctape", "top-columns")
}

// keptColumns are the columns that were chosen; nil when none were.
func keptColumns() []string {
	b, err := os.ReadFile(columnsFile())
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}

// keepColumns keeps the columns that somebody chose.
func keepColumns(columns []string) error {
	path := columnsFile()
	if path == "" {
		return errors.New("the columns are not kept: HOME and XDG_CONFIG_HOME name no folder")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("the columns are not kept: %w", err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(columns, "\n")+"\n"), 0o600); err != nil {
		return fmt.Errorf("the columns are not kept: %w", err)
	}
	return nil
}
