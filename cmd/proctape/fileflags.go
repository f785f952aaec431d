package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/schema/filecheck"
)

// fileFlags are the flags of the commands that write NDJSON files into a folder that the user names.
type fileFlags struct {
	ndjson string
	limit  int64
}

func (f *fileFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.ndjson, "ndjson", "", "`folder` for monitor.jsonl and events.jsonl (default: none)")
	cmd.Flags().Int64Var(&f.limit, "ndjson-limit", ndjsonLimit, "size in `bytes` at which monitor.jsonl is rotated")
}

// folder checks the flags and makes the folder. It is empty when no files are wanted.
func (f *fileFlags) folder() (string, error) {
	if f.limit < 1 {
		return "", misuse("--ndjson-limit %d is out of range: want 1 or more", f.limit)
	}
	dir, err := expandHome(f.ndjson)
	if err == nil && dir != "" {
		if err = filecheck.Way(filepath.Join(dir, "monitor.jsonl")); err != nil {
			return dir, fmt.Errorf("--ndjson: %w", err)
		}
		if err = os.MkdirAll(dir, 0o700); err != nil {
			err = hinted(fmt.Errorf("--ndjson: %w", err), "name a folder that exists or can be made")
		}
	}
	return dir, err
}

// ndjsonLimit is the size from which the contract rotates monitor.jsonl, in bytes.
const ndjsonLimit = 52428800
