package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/bundle"
	"github.com/proctape/proctape/schema/filecheck"
)

// bundleFlags are the flags of bundle.
type bundleFlags struct {
	listing
	run, to, key string
	since, until timeText
	tokens       bool
}

func bundleCommand(s *settings) *cobra.Command {
	f := new(bundleFlags)
	cmd := &cobra.Command{
		Use: "bundle [JOB]", Short: "Take a run of a job, or a time, into a small database", ValidArgsFunction: completeJobs(s), Args: oneArgAtMost,
		Long: `Take a run of a job into a small database of its own, to keep it, or to give it to somebody: the newest run, or --run. It has all that the recording has of the hosts
of the run from two minutes before it until one minute behind it, for who had the memory may be another process. Without JOB it has the time from --since until --until,
of all hosts or of --host.

The file is an ordinary database: every command that reads takes it by --db, and so do top, serve and mcp. It has a manifest with the sums of its tables. "proctape bundle
check" reads all of it and refuses one that is not as it was made. docs/bundle.md says what is in it and what is not.

--tokens replaces command lines, control groups and details by tokens, the same for the same text: which processes were the same program can be seen, and what it was
cannot. --token-key names a file with the key, which is made where there is none: bundles made with it have the same tokens.`,
		Example: `  proctape bundle build-7 -o build-7.db
  proctape bundle build-7 --run 3 --tokens -o build-7.db
  proctape bundle --since "03:00" --until "03:30" -o night.db
  proctape bundle build-7 --url https://central:7447 --token-file central.token -o build-7.db
  proctape bundle check build-7.db
  proctape report build-7 --db build-7.db`,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := f.question(cmd, args)
			if err != nil {
				return err
			}
			return s.withDatabase(cmd, func(db *query.DB) error { return f.make(cmd, db, q) })
		},
	}
	cmd.Flags().StringVarP(&f.to, "output", "o", "", "new `file` to make")
	cmd.Flags().StringVar(&f.run, "run", "", "of the job: this run, by its `number` or id (default: the newest)")
	cmd.Flags().Var(&f.since, "since", "without JOB: from this `time` on")
	cmd.Flags().Var(&f.until, "until", "without JOB: before this `time` (default: now)")
	cmd.Flags().StringVar(&f.host, "host", "", "only this `host`")
	cmd.Flags().BoolVar(&f.tokens, "tokens", false, "replace command lines, control groups and details by tokens")
	cmd.Flags().StringVar(&f.key, "token-key", "", "with --tokens: `file` with the key that makes them (default: a new key each time)")
	completeRuns(cmd, s)
	completeHosts(cmd, s)
	cmd.AddCommand(bundleCheckCommand())
	return cmd
}

// question checks the flags, and is what they ask for.
func (f *bundleFlags) question(cmd *cobra.Command, args []string) (q bundle.Question, err error) {
	now := time.Now()
	q = bundle.Question{Run: f.run, By: version, Now: now, Range: query.Range{Host: f.host}}
	since, err := timeFlag("since", string(f.since), now)
	if err != nil {
		return q, err
	}
	until, err := timeFlag("until", string(f.until), now)
	if err != nil {
		return q, err
	}
	switch {
	case f.to == "":
		return q, hinted(misuse("there is no file to make"), "name a new one with -o")
	case len(args) == 0 && since.IsZero():
		return q, hinted(misuse("a bundle is of a job or of a time"), `name a job, or --since: "proctape bundle build-7 -o build-7.db"`)
	case len(args) == 1 && (!since.IsZero() || !until.IsZero()):
		return q, hinted(misuse("a job and --since or --until cannot be combined"), "the time of a job's bundle is that of its run: --run picks one")
	case len(args) == 0 && f.run != "":
		return q, hinted(misuse("--run names a run of a job"), `for example "proctape bundle build-7 --run 3 -o build-7.db"`)
	case f.key != "" && !f.tokens:
		return q, hinted(misuse("--token-key without --tokens"), "--tokens replaces command lines by tokens")
	case !until.IsZero() && !until.After(since):
		return q, misuse("--until is not after --since")
	}
	if len(args) == 1 {
		q.Job = query.JobFilter{Name: args[0], Host: f.host}
	} else {
		q.Range.Since = timestamp(since)
		if !until.IsZero() {
			q.Range.Until = timestamp(until)
		}
	}
	if f.tokens {
		q.Key, err = tokenKey(f.key)
	}
	return q, err
}

// keySize is how many bytes the key of tokens has.
const keySize = 32

// tokenKey is the key of a file, which is made where there is none; a new one where no file is named.
func tokenKey(path string) ([]byte, error) {
	key := make([]byte, keySize)
	if path != "" {
		old, err := filecheck.ReadSecret(path, keySize+1)
		if err == nil && len(old) != keySize {
			return nil, hinted(fmt.Errorf("--token-key: %s holds no key", path), "name a file that does not exist: it is made")
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return old, err
		}
	}
	if _, err := rand.Read(key); err != nil || path == "" {
		return key, err
	}
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--token-key: %w", err)
	}
	_, err = w.Write(key)
	return key, errors.Join(err, w.Close())
}

// make makes the bundle, and says what is in it.
func (f *bundleFlags) make(cmd *cobra.Command, db *query.DB, q bundle.Question) error {
	if err := f.checkHost(cmd, db); err != nil {
		return err
	}
	if q.Job.Name != "" {
		if err := f.checkJob(cmd, db, q.Job.Name); err != nil {
			return err
		}
	}
	made, err := bundle.Make(cmd.Context(), db, q, f.to)
	switch {
	case errors.Is(err, fs.ErrExist):
		return hinted(fmt.Errorf("%s exists, and a bundle replaces nothing", f.to), "name a file that does not exist")
	case err != nil:
		return explainRun(explainJob(err))
	}
	noteIncomplete(cmd, made.Coverage)
	return printBundle(cmd, f.to, made)
}

// printBundle says what is in a bundle.
func printBundle(cmd *cobra.Command, path string, b *bundle.Made) error {
	out := cmd.OutOrStdout()
	of := "all jobs"
	switch {
	case b.Run > 0:
		of = fmt.Sprintf("job %s, run %d", printable(b.Job), b.Run)
	case b.Job != "":
		of = "job " + printable(b.Job)
	}
	rows := map[string]int64{}
	for _, t := range b.Tables {
		rows[t.Name] = t.Rows
	}
	_ = say(out, "%s  %s", mib(b.Size), path)
	_ = say(out, "  of        %s, %s to %s", of, localTime(b.From), localTime(b.To))
	_ = say(out, "  holds     %d snapshots, %d samples of processes, %d events", rows["snapshots"], rows["samples"], rows["process_events"])
	if b.Tokens {
		_ = say(out, "  tokens    stand for command lines, control groups and details")
	}
	known := query.Incomplete(b.Coverage)
	if known == "" {
		known = "complete"
	}
	_ = say(out, "  record    %s", strings.TrimPrefix(known, "incomplete: "))
	return say(out, "  manifest  %s", b.Sum)
}

func bundleCheckCommand() *cobra.Command {
	var sum string
	cmd := &cobra.Command{
		Use: "check FILE", Short: "Check that a bundle is as it was made", Args: oneArg("bundle"),
		Long: `Read all of a bundle and compare it with its manifest: each table's rows, the layout, the pages of the file. It exits with 1 when something is not as it was made.

Whoever can change a bundle can make a new manifest for it. --manifest names the sum that "proctape bundle" printed: then that is found too.`,
		Example: `  proctape bundle check build-7.db
  proctape bundle check build-7.db --manifest 5f0c…`,
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := bundle.Check(cmd.Context(), args[0])
			var tampered *bundle.TamperedError
			switch {
			case errors.Is(err, bundle.ErrNoBundle):
				return hinted(fmt.Errorf("%s: %w", args[0], err), `name a file that "proctape bundle" made`)
			case errors.As(err, &tampered):
				return hinted(fmt.Errorf("%s: %w", args[0], err), "ask for it again where it was made, and compare the sum of its manifest")
			case err != nil:
				return err
			case sum != "" && !strings.EqualFold(sum, b.Sum):
				return hinted(fmt.Errorf("%s: its manifest is another one: %s", args[0], b.Sum), "ask for it again where it was made")
			}
			if err := printBundle(cmd, args[0], b); err != nil {
				return err
			}
			return say(cmd.OutOrStdout(), "It is as it was made by proctape %s on %s.", printable(b.By), localTime(b.Made))
		},
	}
	cmd.Flags().StringVar(&sum, "manifest", "", "the `sum` of its manifest, as \"proctape bundle\" printed it")
	return cmd
}
