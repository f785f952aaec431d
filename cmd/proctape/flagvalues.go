package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/proctape/proctape/schema"
)

// flagError makes an error of the command line's flags ours: it says in plain words what a value should be.
func flagError(cmd *cobra.Command, err error) error {
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) {
		return valueError("--"+bad.GetFlag().Name+" ", err)
	}
	meant := ""
	if name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --"); unknown {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		meant = didYouMean("--", name, names)
	}
	return hinted(&misuseError{err}, "%s%s --help lists the flags", meant, cmd.CommandPath())
}

// valueError is the error of a value that its flag cannot read. where says how the value was given, up to the value.
func valueError(where string, err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return misuse("%s: %w", where, err)
	}
	value := where + strconv.Quote(bad.GetValue())
	if errors.Is(err, strconv.ErrRange) {
		return hinted(misuse("%s is out of range", value), "a number has 18 digits at most")
	}
	switch bad.GetFlag().Value.Type() {
	case "int", "int64":
		return hinted(misuse("%s is not a whole number", value), "write it as 20")
	case "uint64":
		return hinted(misuse("%s is not a whole number of 0 or more", value), "write it as 20")
	case "float64":
		return hinted(misuse("%s is not a number", value), "write it as 0.5")
	case "duration":
		return hinted(misuse("%s is not a duration", value), "write it as 5s or 500ms")
	case "bool":
		return hinted(misuse("%s is neither true nor false", value), "write it as true or false")
	case "time":
		return hinted(misuse("%s is empty", strings.TrimSuffix(value, ` ""`)), "%s", timeForms)
	case "stringSlice":
		return hinted(misuse("%s is not a list", value), `write it as one,two; an item with a comma or a quotation mark as "a,b" or "a""b"`)
	}
	return misuse("%s: %w", value, bad.Unwrap())
}

// checkHostName checks the host that --host names, where it was given.
func checkHostName(host string) error {
	if host == "" || schema.ValidHost(host) {
		return nil
	}
	return hinted(misuse("--host %q is not a valid host name", host), "use 1 to 64 of A-Z a-z 0-9 _ -; for example %s", schema.HostToken(host))
}

// checkPID checks the pid that --pid names, where it was given.
func checkPID(cmd *cobra.Command, pid int64) error {
	const most = 1 << 22 // of the kernel
	if cmd.Flags().Changed("pid") && (pid <= 0 || pid > most) {
		return hinted(misuse("--pid %d is not a pid", pid), "a pid is a whole number from 1 to %d", most)
	}
	return nil
}
