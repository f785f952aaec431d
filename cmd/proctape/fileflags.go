package main

import (
	"os"

	"github.com/spf13/cobra"
)

// fileFlags are the flags of whatever folds into files of its own choice.
type fileFlags struct {
	ndjson string
	limit  int64
}

func (f *fileFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.ndjson, "ndjson", "", "`folder` for monitor.jsonl and events.jsonl (default: none)")
	cmd.Flags().Int64Var(&f.limit, "ndjson-limit", ndjsonLimit, "`bytes` from which monitor.jsonl is rotated")
}

// folder checks the flags, and makes the folder where there is to be one; empty for none.
func (f *fileFlags) folder() (string, error) {
	if f.limit < 1 {
		return "", misuse("--ndjson-limit %d is out of range: want 1 or more", f.limit)
	}
	dir, err := expandHome(f.ndjson)
	if err == nil && dir != "" {
		err = os.MkdirAll(dir, 0o700)
	}
	return dir, err
}

// ndjsonLimit is the contract's default.
const ndjsonLimit = 52428800
