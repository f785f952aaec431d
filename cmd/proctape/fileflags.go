package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/schema/filecheck"
)

// fileFlags are the flags of the commands that write NDJSON files.
type fileFlags struct {
	flag   string // that names the folder
	dir    string
	name   string
	limit  int64
	rotate string
}

// register adds the flags to a command that writes files into a folder that the user names.
func (f *fileFlags) register(cmd *cobra.Command) {
	f.flag = "--ndjson"
	cmd.Flags().StringVar(&f.dir, "ndjson", "", "`folder` for monitor.jsonl and events.jsonl (default: none)")
	cmd.Flags().StringVar(&f.dir, "ndjson-dir", "", "the same as --ndjson")
	cmd.Flags().Lookup("ndjson-dir").Hidden = true
	f.registerRest(cmd)
}

// registerUp adds the flags to up, which writes files where nothing else is said.
func (f *fileFlags) registerUp(cmd *cobra.Command) {
	f.flag = "--ndjson-dir"
	cmd.Flags().StringVar(&f.dir, "ndjson-dir", "", "`folder` for monitor.jsonl and events.jsonl (default: the data folder)")
	f.registerRest(cmd)
}

func (f *fileFlags) registerRest(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "ndjson-name", ndjsonName, "`name` of the file of snapshots")
	cmd.Flags().Int64Var(&f.limit, "ndjson-limit", ndjsonLimit, "size in `bytes` at which monitor.jsonl is rotated")
	cmd.Flags().StringVar(&f.rotate, "ndjson-rotate", rotateSelf, "who rotates the files: self, or never where another program does, such as logrotate (docs/files.md)")
}

// check checks the flags.
func (f *fileFlags) check() error {
	if f.limit < 1 {
		return misuse("--ndjson-limit %d is out of range: want 1 or more", f.limit)
	}
	if f.rotate != rotateSelf && f.rotate != rotateNever {
		return hinted(misuse("--ndjson-rotate %q is neither self nor never", f.rotate), "self: proctape rotates the files; never: another program does")
	}
	ours := strings.HasPrefix(f.name, "monitor.db") || slices.Contains([]string{"events.jsonl", "ndjson.lock", "nats.sock", "jetstream", "creds", "lives", "damaged"}, f.name)
	if f.name != filepath.Base(f.name) || strings.Trim(f.name, ".") == "" || strings.ContainsFunc(f.name, unicode.IsControl) || ours {
		return hinted(misuse("--ndjson-name %q is no name for the file of snapshots", f.name), "a name without a folder, such as %s; the folder is named by %s", ndjsonName, f.flag)
	}
	return nil
}

// into puts what the flags say into a projector's settings.
func (f *fileFlags) into(cfg *projector.Config) {
	cfg.FileName, cfg.FileLimit, cfg.FilesOfOthers = f.name, f.limit, f.rotate == rotateNever
}

// folder makes the folder. It is empty when none is named.
func (f *fileFlags) folder() (string, error) {
	dir, err := expandHome(f.dir)
	if err == nil && dir != "" {
		if err = filecheck.Way(filepath.Join(dir, f.name)); err != nil {
			return dir, fmt.Errorf("%s: %w", f.flag, err)
		}
		if err = os.MkdirAll(dir, 0o700); err != nil {
			err = hinted(fmt.Errorf("%s: %w", f.flag, err), "name a folder that exists or can be made")
		}
	}
	return dir, err
}

// Who rotates the files.
const (
	rotateSelf  = "self"
	rotateNever = "never"
)

// ndjsonName is the contract's name of the file of snapshots.
const ndjsonName = "monitor.jsonl"

// ndjsonLimit is the size from which the contract rotates monitor.jsonl, in bytes.
const ndjsonLimit = 52428800
