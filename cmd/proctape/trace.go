package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/producer/syscalls"
)

func traceCommand(s *settings) *cobra.Command {
	f := new(jobFlags)
	cmd := &cobra.Command{
		Use: "trace PID", Short: "Trace a process's system calls for two seconds", Args: oneArg("pid"),
		Long: `Have the sampler trace the system calls of a process for two seconds. A sample of the process then shows them, and
so does the profile of its job. With --bpf auto the recorder counts them by programs in the kernel, which the
process hardly feels; without, by strace, and meanwhile the process runs 60 to 200 times slower. Therefore the
recorder must have been started with --syscalls, and it traces one process at a time.

To have all calls of a job be counted while it runs: proctape run --syscalls.`,
		Example: `  proctape up --syscalls --bpf auto
  proctape trace 4242
  proctape history 4242 --limit 2 --json | jq .syscall_time_pct`,
		RunE: func(cmd *cobra.Command, args []string) error {
			pid, err := strconv.Atoi(args[0])
			if err != nil || pid <= 0 {
				return hinted(misuse("%q is not a pid", args[0]), "a pid is a whole number above 0")
			}
			host, err := f.hostToken(cmd.Context(), s)
			if err != nil {
				return err
			}
			nc, err := s.connect()
			if err != nil {
				return err
			}
			defer nc.Close()
			err = withRefusals(cmd.Context(), nc, s.creds, func(ctx context.Context) error { return syscalls.RequestTrace(ctx, nc, host, pid) })
			switch {
			case hintOf(err) != "":
				return err
			case errors.Is(err, syscalls.ErrNoSampler):
				return hinted(err, "name the host with --host, as it is recorded")
			case err != nil:
				return hinted(fmt.Errorf("trace process %d: %w", pid, err), `tracing needs a recorder that was started with --syscalls, and programs in the kernel (--bpf auto) or strace`)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Process %d is being traced; the sample after next shows its system calls.\n", pid)
			return nil
		},
	}
	f.registerHost(cmd)
	return cmd
}
