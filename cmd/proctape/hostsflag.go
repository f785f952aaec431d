package main

import (
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// registerHosts adds the flag --hosts of the commands that make a database.
func registerHosts(cmd *cobra.Command, hosts *[]string) {
	cmd.Flags().StringSliceVar(hosts, "hosts", nil, "`pattern` of the hosts that the database is of, such as build*; may be repeated (default: all hosts of the log)")
}

// checkHosts checks patterns of hosts, and puts them into an order.
func checkHosts(hosts []string) ([]string, error) {
	for _, pattern := range hosts {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" || strings.ContainsAny(pattern, " ./") {
			return nil, hinted(misuse("--hosts %q is not a pattern of names of hosts", pattern), `for example "build*", or "web01,web02"`)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(hosts))), nil
}
