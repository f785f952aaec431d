package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/schema"
)

// retentionFlags are the flags that say how long what is recorded is kept.
type retentionFlags struct {
	fullHours, downDays, eventDays, runDays int64
	awayHours                               int64
	maxDB, maxLog                           int64
	interval                                time.Duration
}

func (f *retentionFlags) register(cmd *cobra.Command) {
	cmd.Flags().Int64Var(&f.fullHours, "full-resolution-hours", 24, "`hours` for which snapshots are kept; one-minute means replace them then")
	cmd.Flags().Int64Var(&f.downDays, "downsampled-days", 7, "`days` for which the one-minute means are kept")
	cmd.Flags().Int64Var(&f.eventDays, "events-days", 30, "`days` for which events, gaps and jobs are kept")
	cmd.Flags().Int64Var(&f.runDays, "runs-days", 400, "`days` for which the runs of jobs are kept, with their numbers and totals")
	cmd.Flags().Int64Var(&f.awayHours, "away-hours", 0, "`hours` for which another database that does not move keeps the log from being trimmed (default: as long as the policy keeps the messages)")
	cmd.Flags().Int64Var(&f.maxDB, "max-db-mb", 0, "largest size of the database in `MiB`; above it the oldest data is deleted early; 0 for no limit")
	cmd.Flags().Int64Var(&f.maxLog, "max-log-mb", 10<<10, "largest size of the log in `MiB`; 0 for no limit")
	cmd.Flags().DurationVar(&f.interval, "retention-interval", 10*time.Minute, "time between two passes of retention")
}

// config checks the flags and makes settings of them.
func (f *retentionFlags) config() (retention.Settings, error) {
	for _, v := range []struct {
		name        string
		value       int64
		least, most int64
	}{
		{"full-resolution-hours", f.fullHours, 1, 100 * 365 * 24}, {"downsampled-days", f.downDays, 1, 100 * 365},
		{"events-days", f.eventDays, 1, 100 * 365}, {"runs-days", f.runDays, 1, 100 * 365}, {"away-hours", f.awayHours, 0, 100 * 365 * 24},
		{"max-db-mb", f.maxDB, 0, 1 << 30}, {"max-log-mb", f.maxLog, 0, 1 << 30},
	} {
		if v.value < v.least || v.value > v.most {
			return retention.Settings{}, misuse("--%s %d is out of range: want %d to %d", v.name, v.value, v.least, v.most)
		}
	}
	if f.maxLog > 0 && f.maxLog < 64 {
		return retention.Settings{}, misuse("--max-log-mb %d is out of range: want 0, or 64 to %d", f.maxLog, 1<<30)
	}
	if f.maxDB > 0 && f.maxDB < 16 {
		return retention.Settings{}, misuse("--max-db-mb %d is out of range: want 0, or 16 to %d", f.maxDB, 1<<30)
	}
	if f.interval < time.Second {
		return retention.Settings{}, misuse("--retention-interval %s is too short: want at least 1s", f.interval)
	}
	const hour = time.Hour
	return retention.Settings{
		Policy: schema.Policy{FullResolution: time.Duration(f.fullHours) * hour, Downsampled: time.Duration(f.downDays) * 24 * hour,
			Events: time.Duration(f.eventDays) * 24 * hour, Runs: time.Duration(f.runDays) * 24 * hour, MaxLogBytes: capBytes(f.maxLog)},
		Interval: f.interval, MaxBytes: f.maxDB << 20, Away: time.Duration(f.awayHours) * hour,
	}, nil
}

// capBytes is a limit in bytes; negative for none.
func capBytes(mb int64) int64 {
	if mb == 0 {
		return -1
	}
	return mb << 20
}
