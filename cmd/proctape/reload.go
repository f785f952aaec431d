package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// reloader takes settings over that changed in the file of settings while a command runs.
type reloader struct {
	settings *settings
	// apply takes one setting over. Settings that are not in it need a restart.
	apply map[string]func(value string) error
	// also is done at each reload: each returns what it did, and may change nothing.
	also  []func() (did string, err error)
	notes io.Writer
	tell  func(lines ...string) // the service manager
}

// reloads has SIGHUP reload the settings of a command until the returned function is called: under a service manager, or always where
// files of it are to be opened anew then.
func (s *settings) reloads(notes io.Writer, tell func(...string), files *fileFlags, also ...func() (string, error)) (stop func()) {
	r := &reloader{settings: s, also: also, notes: notes, tell: tell, apply: map[string]func(string) error{
		"log-level": func(v string) error { return s.level.UnmarshalText([]byte(v)) },
	}}
	return atHangup(r.reload, files != nil && files.rotate == rotateNever)
}

// reload reads the file of settings again, and says what it did about it.
func (r *reloader) reload() {
	r.tell("RELOADING=1", monotonicMicros())
	defer r.tell("READY=1")
	s := r.settings
	file, err := readConfig("--config", s.config)
	if err != nil {
		fmt.Fprintf(r.notes, "proctape: note: SIGHUP: all settings stay as they are: %s\n", oneLine(err.Error()))
		return
	}
	var done, restart, kept []string
	for _, name := range changedSettings(s.file, file) {
		value, there := file[name]
		apply := r.apply[name]
		switch {
		case s.overFile[name]: // by the command line or the environment
			kept = append(kept, name)
			continue
		case apply == nil || !there:
			restart = append(restart, name)
			continue
		}
		if err := apply(value); err != nil {
			kept = append(kept, name+" ("+err.Error()+")")
			continue
		}
		s.file[name] = value
		done = append(done, name)
	}
	for _, do := range r.also {
		did, err := do()
		if err != nil {
			kept = append(kept, err.Error())
		} else if did != "" {
			done = append(done, did)
		}
	}
	fmt.Fprintf(r.notes, "proctape: note: SIGHUP: %s\n", oneLine(reloaded(done, restart, kept)))
}

// changedSettings are the names of the settings that differ between two readings of the file.
func changedSettings(before, now map[string]string) []string {
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range now {
		names[name] = true
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool {
		a, inBefore := before[name]
		b, inNow := now[name]
		return inBefore == inNow && a == b
	})
	return slices.Sorted(maps.Keys(names))
}

// reloaded says what a reload did.
func reloaded(done, restart, kept []string) string {
	var parts []string
	for _, p := range []struct {
		words string
		names []string
	}{{"taken over: ", done}, {"needs a restart: ", restart}, {"stays as it is: ", kept}} {
		if len(p.names) > 0 {
			parts = append(parts, p.words+strings.Join(p.names, ", "))
		}
	}
	if len(parts) == 0 {
		return "no setting has changed"
	}
	return strings.Join(parts, "; ")
}
