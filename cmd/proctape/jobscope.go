package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

// ofJobs are the kinds of data that what is said of a job is made of.
var ofJobs = []query.Data{query.DataSnapshots, query.DataEvents, query.DataCPU}

// registerJobHost adds --host to a command that reads one job.
func (l *listing) registerJobHost(cmd *cobra.Command, s *settings) {
	cmd.Flags().StringVar(&l.host, "host", "", "only what this `host` recorded of the job (default: all hosts)")
	completeHosts(cmd, s)
}

// withJob is withDatabase for a listing that a job may narrow: it checks that the host of --host has the job.
func (l *listing) withJob(cmd *cobra.Command, s *settings, job string, f func(*query.DB) error) error {
	if job == "" {
		return l.withDatabase(cmd, s, f)
	}
	return s.withDatabase(cmd, func(db *query.DB) error {
		if err := l.checkJob(cmd, db, job); err != nil {
			return err
		}
		return f(db)
	})
}

// checkJob reports a job that is not in the recording, and a --host that has nothing of it, and says on stderr which hosts the answer covers where they are
// several.
func (l *listing) checkJob(cmd *cobra.Command, db *query.DB, job string) error {
	scopes, err := query.JobScopes(cmd.Context(), db, query.JobFilter{Name: job, Host: l.host})
	switch {
	case errors.Is(err, query.ErrNoJob):
		return cmp.Or(l.checkHost(cmd, db), noJob(cmd, db, job))
	case err != nil:
		return explainJob(err)
	}
	noteCovers(cmd, scopes, l.host)
	l.hosts = map[string]bool{}
	for _, host := range query.HostsOf(scopes) {
		l.hosts[host] = true
	}
	return nil
}

// noteCovers says on stderr which hosts an answer on a job covers, where that needs to be said.
func noteCovers(cmd *cobra.Command, scopes []query.JobScope, host string) {
	if covers := coversText(scopes, host); covers != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "proctape: note: "+covers)
	}
}

// explainJob adds to an error of reading a job which hosts have it, and which jobs there are.
func explainJob(err error) error {
	var elsewhere *query.JobHostError
	if errors.As(err, &elsewhere) {
		err = fmt.Errorf("job %q is in the recording, but nothing of host %q", elsewhere.Job, elsewhere.Host)
		if len(elsewhere.Hosts) == 0 {
			return hinted(err, "a conductor declared it for the fleet, and no host has told of it")
		}
		return hinted(err, "the hosts that have it are %s", hostList(elsewhere.Hosts))
	}
	return err
}

// noJob is the error of a job that is not in the recording. It asks whether a job of a name like it was meant.
func noJob(cmd *cobra.Command, db *query.DB, name string) error {
	names, err := jobNames(cmd.Context(), db)
	if err != nil {
		return err
	}
	return hinted(fmt.Errorf("no job %q is in the recording", name), `%s"proctape jobs" lists the jobs`, didYouMean("", name, names))
}

// coversText says which hosts an answer on a job covers, on one line; empty where it is one host's own job, and nothing
// needs to be said.
func coversText(scopes []query.JobScope, host string) string {
	var own []string
	fleet := false
	for _, s := range scopes {
		if fleet = fleet || s.Fleet; !s.Fleet {
			own = append(own, s.Host)
		}
	}
	hosts := "all hosts: " + hostList(query.HostsOf(scopes))
	switch {
	case !fleet && len(own) < 2:
		return ""
	case host != "" && len(own) > 0:
		return fmt.Sprintf("host %s alone, of its own job and the fleet's", host)
	case host != "":
		return fmt.Sprintf("host %s alone, of a fleet-wide job", host)
	case !fleet:
		return hosts + "; --host narrows"
	case len(own) > 0:
		return fmt.Sprintf("%s; fleet-wide, with own jobs of the name on %s; --host narrows", hosts, hostList(own))
	case len(query.HostsOf(scopes)) == 0:
		return "fleet-wide; no host has told of it"
	}
	return "fleet-wide, " + hosts + "; --host narrows"
}

// scopeOf is whose a job is, as a column has it. A host's name has no blank, so it cannot be mistaken for the fleet.
func scopeOf(s *query.JobScope) string {
	if !s.Fleet {
		return s.Host
	}
	n := int64(len(s.Hosts))
	return fmt.Sprintf("fleet (%d %s)", n, plural(n, "host", "hosts"))
}
