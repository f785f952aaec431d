package spool

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// disk is what a spool asks of the file system, which a test has forget what was not synced.
type disk interface {
	// create makes a file that is not there yet.
	create(path string) (file, error)
	// syncFolder returns when the names in a folder are on disk.
	syncFolder(path string) error
}

// file is a file that is written.
type file interface {
	io.WriterAt
	// Sync returns when all that was written is on disk.
	Sync() error
	Close() error
}

// realDisk implements [disk].
type realDisk struct{}

func (realDisk) create(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
}

func (realDisk) syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
