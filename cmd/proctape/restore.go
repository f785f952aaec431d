package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/schema/backup"
	"github.com/proctape/proctape/schema/filecheck"
)

func restoreCommand(s *settings) *cobra.Command {
	var only string
	cmd := &cobra.Command{
		Use: "restore FOLDER", Short: "Make a data folder of a backup", Args: oneArg("folder of a backup"),
		Long: `Make a data folder of what "proctape backup" copied: its database, its log, or both. All files are read first, and one that is not as it was
written is refused before anything is made. The data folder has no recording yet. A recorder that starts on it then goes on: what the log has
and the database has not is projected. With the log alone it makes the database anew.`,
		Example: `  proctape restore /backup/2026-11-28 --data /var/lib/proctape
  proctape restore /backup/2026-11-28 --only log --data again`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkPart(only); err != nil {
				return err
			}
			if s.server != "" {
				return hinted(misuse("restore makes a data folder, and --server names a log elsewhere"), "restore the streams of another server with its own tools: nats stream restore")
			}
			return restoreBackup(cmd, s, args[0], only)
		},
	}
	cmd.Flags().StringVar(&only, "only", "", "restore this `part` alone: database or log")
	return cmd
}

// restoreBackup checks the backup and the data folder, and restores.
func restoreBackup(cmd *cobra.Command, s *settings, from, only string) error {
	if _, err := os.Lstat(s.db); err == nil || embeddednats.HasLog(s.data) {
		return hinted(fmt.Errorf("%s holds a recording, and restore replaces nothing", s.data), "name a folder without one with --data")
	}
	list, err := backup.Check(from)
	if errors.Is(err, backup.ErrUnfinished) {
		return hinted(err, `name a folder that "proctape backup" made`)
	} else if err != nil {
		return err
	}
	var streams []backup.File
	database := false
	for _, f := range list.Files {
		switch {
		case f.Stream != "" && only != partDatabase:
			streams = append(streams, f)
		case f.Stream == "" && only != partLog:
			database = true
		}
	}
	if only == partLog && len(streams) == 0 || only == partDatabase && !database {
		return hinted(misuse("%s holds no %s", from, only), "leave --only out: then what is there is restored")
	}
	if err := filecheck.Folder(s.data); err != nil {
		return err
	}
	if err := os.MkdirAll(s.data, 0o700); err != nil {
		return err
	}
	err = restoreParts(cmd, s, from, streams, database)
	if err != nil {
		return hinted(err, "what was made of it lies in %s: remove that before you try again", s.data)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s holds the recording of %s. Go on with it: proctape up --data %s\n", s.data, list.Made.Local().Format(timeLayout), s.data)
	return nil
}

// restoreParts restores the log, and then the database.
func restoreParts(cmd *cobra.Command, s *settings, from string, streams []backup.File, database bool) error {
	var restored []projector.RestoredStream
	if len(streams) > 0 {
		a, err := s.attach(cmd, true)
		if err != nil {
			return err
		}
		for _, f := range streams {
			var r projector.RestoredStream
			if r, err = restoreStream(cmd.Context(), a.Conn, from, f); err != nil {
				break
			}
			restored = append(restored, r)
		}
		if err = errors.Join(err, a.Close()); err != nil {
			return err
		}
	}
	if !database {
		return nil
	}
	if err := copyFile(filepath.Join(from, backup.Database), s.db); err != nil || len(restored) == 0 {
		return err
	}
	return projector.MoveCheckpoints(s.db, restored)
}

// restoreStream makes a stream of its copy.
func restoreStream(ctx context.Context, nc *nats.Conn, from string, f backup.File) (projector.RestoredStream, error) {
	done := projector.RestoredStream{Name: f.Stream, Made: f.Made}
	r, err := os.Open(filepath.Join(from, f.Name))
	if err != nil {
		return done, err
	}
	defer r.Close()
	if err := embeddednats.RestoreStream(ctx, nc, f.Stream, embeddednats.SavedStream{Config: f.Config, State: f.State}, r); err != nil {
		return done, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return done, err
	}
	stream, err := js.Stream(ctx, f.Stream)
	if err != nil {
		return done, err
	}
	done.Restored = stream.CachedInfo().Created.UnixNano()
	return done, nil
}

// copyFile copies a file to a new one, which is there when it is whole and on the disk.
func copyFile(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	part := to + ".restoring"
	w, err := filecheck.Create(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	if err = errors.Join(err, w.Sync(), w.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, to)
}
