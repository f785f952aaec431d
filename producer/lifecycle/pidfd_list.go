package lifecycle

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"
)

// listBuffer is the size of one getdents call: about 2000 processes.
const listBuffer = 64 << 10

// listedProcess is a process directory as a listing of /proc shows it.
type listedProcess struct {
	pid   int
	inode uint64 // a pid that is used again gets another inode; so does a process, when memory is short
}

// listProcesses lists the processes in the open directory dir, through buf.
func listProcesses(dir int, buf []byte) ([]listedProcess, error) {
	if _, err := unix.Seek(dir, 0, unix.SEEK_SET); err != nil {
		return nil, err
	}
	var listed []listedProcess
	for {
		n, err := unix.Getdents(dir, buf)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case n == 0:
			return listed, nil
		default:
			listed = appendProcesses(listed, buf[:n])
		}
	}
}

// appendProcesses appends the processes among the records in data, which are struct linux_dirent64 of man getdents(2).
func appendProcesses(listed []listedProcess, data []byte) []listedProcess {
	const lengthAt, nameAt = 16, 19
	for len(data) > nameAt {
		length := int(binary.NativeEndian.Uint16(data[lengthAt:]))
		if length <= nameAt || length > len(data) {
			break // cut short
		}
		name, _, _ := bytes.Cut(data[nameAt:length], []byte{0})
		if pid, err := strconv.ParseUint(string(name), 10, 31); err == nil {
			listed = append(listed, listedProcess{int(pid), binary.NativeEndian.Uint64(data)})
		}
		data = data[length:]
	}
	return listed
}
