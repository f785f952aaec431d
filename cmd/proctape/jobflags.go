package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// jobFlags are the flags that name a job and the host it runs on.
type jobFlags struct {
	job   string
	sheet int64
	host  string
}

func (f *jobFlags) registerHost(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.host, "host", "", "`name` under which this machine is recorded (default: its host name)")
}

// hostToken is the host that --host names. Without the flag it is this machine, by the name that the database has for it, or
// else by its host name.
func (f *jobFlags) hostToken(ctx context.Context, s *settings) (string, error) {
	if f.host == "" {
		if s.server == "" {
			if name := recordedHostName(ctx, s.db); name != "" {
				return name, nil
			}
		}
		name, _ := os.Hostname() // an empty name becomes a token too
		return schema.HostToken(name), nil
	}
	if f.host == schema.Fleet {
		return "", hinted(misuse("no host is called %q: it stands for the fleet", schema.Fleet), `"proctape job" takes --fleet`)
	}
	return f.host, checkHostName(f.host)
}

// recordedHostName is the name under which a database has this machine; empty when it has none.
func recordedHostName(ctx context.Context, path string) string {
	fs := procfs.New("")
	defer fs.Close()
	boot, err := fs.BootID()
	if err != nil {
		return ""
	}
	db, err := query.Open(ctx, path)
	if err != nil {
		return ""
	}
	defer db.Close()
	name, err := query.HostOfBoot(ctx, db, boot)
	if err != nil {
		return ""
	}
	return name
}

// step is the step that --sheet names; unknown without the flag.
func (f *jobFlags) step(cmd *cobra.Command) (schema.Opt[int64], error) {
	if !cmd.Flags().Changed("sheet") {
		return schema.Opt[int64]{}, nil
	}
	if f.sheet < 0 || f.sheet > 1<<31-1 {
		return schema.Opt[int64]{}, misuse("--sheet %d is out of range: want 0 to %d", f.sheet, 1<<31-1)
	}
	return schema.Some(f.sheet), nil
}

// checkJob checks the name of a job.
func checkJob(name string) error {
	if name == "" || len(name) > schema.MaxName {
		return misuse("a job's name has 1 to %d bytes", schema.MaxName)
	}
	return nil
}
