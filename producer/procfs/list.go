package procfs

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// listedPID is one process directory as found in the listing of /proc.
type listedPID struct {
	pid   int
	inode uint64 // a pid that is used again gets another inode
}

// Layout of struct linux_dirent64, man getdents(2).
const (
	direntLength = 16 // offset of d_reclen
	direntName   = 19 // offset of d_name
)

// readDir calls visit for each entry of the open directory dir, from its beginning, reading through buf.
func readDir(dir int, buf []byte, visit func(inode uint64, name []byte)) error {
	if _, err := unix.Seek(dir, 0, unix.SEEK_SET); err != nil {
		return err
	}
	for {
		n, err := unix.Getdents(dir, buf)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case n == 0:
			return nil
		default:
			visitDirents(buf[:n], visit)
		}
	}
}

// visitDirents calls visit for each record of data, which getdents64 filled. It stops at a record that is cut short.
func visitDirents(data []byte, visit func(inode uint64, name []byte)) {
	for len(data) > direntName {
		length := int(binary.NativeEndian.Uint16(data[direntLength:]))
		if length <= direntName || length > len(data) {
			return
		}
		name := data[direntName:length]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		visit(binary.NativeEndian.Uint64(data), name)
		data = data[length:]
	}
}

// countDir returns the number of entries in the directory name under dir.
func countDir(dir int, name string, buf []byte) (int, error) {
	fd, err := openAt(dir, name, unix.O_DIRECTORY)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	count := 0
	err = readDir(fd, buf, func(_ uint64, name []byte) {
		if string(name) != "." && string(name) != ".." {
			count++
		}
	})
	return count, err
}
