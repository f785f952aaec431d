package notify

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/proctape/proctape/schema/filecheck"
)

// replaceFile puts a file in the place of another, at once and for good.
func replaceFile(path string, b []byte) error {
	f, err := filecheck.Create(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
