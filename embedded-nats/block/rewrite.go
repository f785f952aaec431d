package block

import (
	"fmt"
	"os"
	"path/filepath"
)

// Rewrite writes a stream's file anew with what of it can be read. seal, when it is above the last readable sequence, is the
// last one that was given away: a placeholder keeps it from being given again. open says that the server goes on in the
// file, which is not compressed then. A file of which nothing is left is removed.
//
// Whoever calls it has moved a copy aside, and no server has the stream open.
func Rewrite(path, stream string, number uint32, seal uint64, open bool) error {
	f, err := read(path, stream, number, true)
	if err != nil {
		return err
	}
	records := f.records
	if seal > f.Last {
		records = append(records, f.parser.placeholder(seal, f.LastTime)...)
	}
	if len(records) == 0 {
		return os.Remove(path)
	}
	b, err := pack(records, f.Compressed && !open)
	if err != nil {
		return fmt.Errorf("write %s anew: %w", path, err)
	}
	return replace(path, b)
}

// Seal writes a file that holds nothing but that a sequence was given away.
func Seal(path, stream string, number uint32, seal uint64, time int64) error {
	p, err := newParser(stream, number)
	if err != nil {
		return err
	}
	return replace(path, p.placeholder(seal, time))
}

// replace replaces a file at once or not at all, also when the power goes.
func replace(path string, b []byte) error {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		os.Remove(path + ".tmp")
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
