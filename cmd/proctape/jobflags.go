package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// jobFlags name a job, and the host it runs on.
type jobFlags struct {
	job   string
	sheet int64
	host  string
}

func (f *jobFlags) registerHost(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.host, "host", "", "`name` under which this machine is recorded (default: this machine's)")
}

// hostToken is the host of the flags, or this machine: by the name that the recorder here has for it, else its own.
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
	if !schema.ValidHost(f.host) {
		return "", hinted(misuse("--host %q cannot be a host's name", f.host), "use 1 to 64 of A-Z a-z 0-9 _ -; for example %s", schema.HostToken(f.host))
	}
	return f.host, nil
}

// recordedHostName is the name that a database has for this machine; empty when it has none.
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
	name, err := db.HostOfBoot(ctx, boot)
	if err != nil {
		return ""
	}
	return name
}

// step is the step of the flags; unknown when the flag was not given.
func (f *jobFlags) step(cmd *cobra.Command) (schema.Opt[int64], error) {
	if !cmd.Flags().Changed("sheet") {
		return schema.Opt[int64]{}, nil
	}
	if f.sheet < 0 || f.sheet > 1<<31-1 {
		return schema.Opt[int64]{}, misuse("--sheet %d is out of range: want 0 to %d", f.sheet, 1<<31-1)
	}
	return schema.Some(f.sheet), nil
}

func checkJob(name string) error {
	if name == "" || len(name) > schema.MaxName {
		return misuse("a job's name has 1 to %d bytes", schema.MaxName)
	}
	return nil
}
