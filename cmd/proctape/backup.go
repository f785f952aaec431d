package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/backup"
)

// The parts of a recording that a backup may hold.
const (
	partDatabase = "database"
	partLog      = "log"
)

func backupCommand(s *settings) *cobra.Command {
	var to, only string
	cmd := &cobra.Command{
		Use: "backup", Short: "Copy a recording into a new folder, also while it is recorded", Args: noArgs,
		Long: `Copy the database and the log of a recording into a new folder, while a recorder runs or not. Each is of one moment; the log is of the later
one, so that a recorder that goes on with the copy misses nothing that the log had by then. A list with the sums of all files is written
last: a folder without it was not finished, and "proctape restore" refuses it.

The database in the folder is an ordinary one: name it with --db. Keys and NDJSON files are not copied: a recorder makes new keys, and
the files follow from the database.`,
		Example: `  proctape backup -o /backup/2026-11-28
  proctape backup --only database -o /backup/database`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				return hinted(misuse("there is no folder to copy into"), "name a new one with -o")
			}
			if err := checkPart(only); err != nil {
				return err
			}
			return makeBackup(cmd, s, to, only)
		},
	}
	cmd.Flags().StringVarP(&to, "output", "o", "", "new `folder` to copy into")
	cmd.Flags().StringVar(&only, "only", "", "copy this `part` alone: database or log")
	return cmd
}

// checkPart checks --only.
func checkPart(only string) error {
	if only != "" && only != partDatabase && only != partLog {
		return hinted(misuse("--only %q is no part of a recording", only), "the parts are database and log")
	}
	return nil
}

// makeBackup makes the folder and what is in it. What does not come to its end is taken away.
func makeBackup(cmd *cobra.Command, s *settings, to, only string) (err error) {
	list := backup.List{Made: time.Now().UTC().Truncate(time.Second), By: version}
	if err := os.Mkdir(to, 0o700); errors.Is(err, os.ErrExist) {
		return hinted(fmt.Errorf("%s exists, and a backup replaces nothing", to), "name a folder that does not exist")
	} else if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(to))
		}
	}()
	// The database first: what it has, the log has too.
	parts := []func() error{
		func() error { return saveDatabase(cmd, s, to, &list) },
		func() error { return saveLog(cmd, s, to, &list) },
	}
	for i, save := range parts {
		if part := []string{partDatabase, partLog}[i]; only == "" || only == part {
			if err := save(); err != nil {
				return err
			}
		}
	}
	if err := backup.Finish(to, list); err != nil {
		return err
	}
	for _, f := range list.Files {
		fmt.Fprintf(cmd.OutOrStdout(), "%s  %s\n", mib(f.Size), filepath.Join(to, f.Name))
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Restore it into a new data folder with: proctape restore %s --data FOLDER\n", to)
	return nil
}

// saveDatabase copies the database, and checks that the copy can be read.
func saveDatabase(cmd *cobra.Command, s *settings, to string, list *backup.List) error {
	db, err := s.openDatabase(cmd)
	if err != nil {
		return err
	}
	path := filepath.Join(to, backup.Database)
	if err := errors.Join(db.CopyTo(cmd.Context(), path), db.Close()); err != nil {
		return explainRead(err, s)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	copied, err := query.Open(cmd.Context(), path)
	if err != nil {
		return fmt.Errorf("the copy cannot be read: %w", err)
	}
	if err := copied.Close(); err != nil {
		return err
	}
	file, err := backup.Sum(to, backup.Database)
	list.Files = append(list.Files, file)
	return err
}

// saveLog copies the streams.
func saveLog(cmd *cobra.Command, s *settings, to string, list *backup.List) error {
	return s.withLog(cmd, func(ctx context.Context, js jetstream.JetStream) error {
		for _, stream := range append([]string{schema.StreamOps}, schema.DataStreams...) {
			file, err := saveStream(ctx, js, stream, to)
			if err != nil {
				return err
			}
			list.Files = append(list.Files, file)
		}
		return nil
	})
}

// saveStream copies a stream.
func saveStream(ctx context.Context, js jetstream.JetStream, stream, to string) (backup.File, error) {
	info, err := js.Stream(ctx, stream)
	if err != nil {
		return backup.File{}, fmt.Errorf("save stream %s: %w", stream, err)
	}
	name := stream + ".stream"
	f, err := os.OpenFile(filepath.Join(to, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return backup.File{}, err
	}
	saved, err := embeddednats.SaveStream(ctx, js.Conn(), stream, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return backup.File{}, err
	}
	file, err := backup.Sum(to, name)
	file.Stream, file.Made, file.Config, file.State = stream, info.CachedInfo().Created.UnixNano(), saved.Config, saved.State
	return file, err
}
