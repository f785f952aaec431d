package embeddednats

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// sweep makes the store what the server can start on. It deletes what a server leaves that was killed while it wrote: files by
// which it tries whether it may write, files that were not yet renamed into place, staged snapshots. What is nobody's it
// moves aside: the server takes any name for that of an account, a stream or a durable.
func sweep(dir string, aside *aside, log *slog.Logger) error {
	isAccount := func(e fs.DirEntry) bool { return e.IsDir() && (e.Name() == accountName || e.Name() == "$SYS") }
	if err := sweepFolder(storeDir(dir), isAccount, aside, log); err != nil {
		return err
	}
	account := filepath.Join(storeDir(dir), accountName)
	if err := sweepFolder(account, func(e fs.DirEntry) bool { return e.IsDir() && e.Name() == "streams" }, aside, log); err != nil {
		return err
	}
	if err := sweepFolder(streamsDir(dir), fs.DirEntry.IsDir, aside, log); err != nil {
		return err
	}
	streams, err := streamDirs(dir)
	if err != nil {
		return err
	}
	for _, d := range streams {
		if err := d.sweep(aside, log); err != nil {
			return err
		}
	}
	return nil
}

// sweep sweeps the folders of a stream.
func (d streamDir) sweep(aside *aside, log *slog.Logger) error {
	isDurable := func(e fs.DirEntry) bool { return e.IsDir() }
	isOfStream := func(e fs.DirEntry) bool {
		switch e.Name() {
		case messagesName, durablesName, "__msgs__", "__new_msgs__", "batches": // two are of a purge, which the server goes on with
			return e.IsDir()
		case metaName, sumName, "sources.db":
			return e.Type().IsRegular()
		}
		return false
	}
	// The times at which messages expire and schedules fire have no checksum. The server makes both files anew from the
	// messages where they are missing.
	isOfMessages := func(e fs.DirEntry) bool {
		_, isBlock := blockNumber(e.Name())
		return e.Type().IsRegular() && (isBlock || e.Name() == indexName)
	}
	for _, derived := range []string{"thw.db", "sched.db"} {
		if err := os.Remove(filepath.Join(d.messages(), derived)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(sweepFolder(d.path, isOfStream, aside, log), sweepFolder(d.messages(), isOfMessages, aside, log),
		sweepFolder(filepath.Join(d.path, durablesName), isDurable, aside, log))
}

// sweepFolder deletes the leftovers of a folder, and moves aside what belongs neither to them nor to the server.
func sweepFolder(path string, belongs func(fs.DirEntry) bool, aside *aside, log *slog.Logger) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		full := filepath.Join(path, e.Name())
		switch {
		case belongs(e):
			continue
		case isLeftover(e.Name()):
			log.Info("a leftover of a killed server was deleted", "path", full)
			if err := os.RemoveAll(full); err != nil {
				return err
			}
		default:
			// What cannot be moved, such as the lost+found of a disk, does no harm: health looks past it.
			if to, err := aside.move(full); err == nil {
				log.Warn("a file that is not the log's was moved aside", "path", full, "to", to)
			}
		}
	}
	return nil
}

// isLeftover reports whether a name is one that the server gives to what it removes again by itself.
func isLeftover(name string) bool {
	return strings.HasPrefix(name, "_test_") || strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".new") ||
		strings.HasSuffix(name, ".idx") || strings.HasSuffix(name, ".fss") || name == ".snap-staging"
}
