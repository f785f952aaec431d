package procfs

import (
	"math/bits"
	"path/filepath"
)

// Failure is a file that cannot be read, or that says what makes no sense, for another reason than the end of a process or
// a lack of permission. What it would tell is unknown.
type Failure struct {
	File      string // under the root, such as "meminfo" or "PID/statm"
	Processes int    // of how many processes; 0 for a file of the host
	Err       error  // the newest reason, with the file's whole path
}

// file numbers the files of a process that a scan reads.
type file uint8

const (
	statFile file = iota
	statmFile
	ioFile
	fdFile
	limitsFile
	statusFile
	schedstatFile
	ownerFile
	cgroupFile
	commandFile
	fileCount
)

// fileNames are the files' names under the directory of a process. The owner is that of the directory.
var fileNames = [fileCount]string{"stat", "statm", "io", "fd", "limits", "status", "schedstat", "", "cgroup", "cmdline"}

// failedFiles has a bit for each file of a process that could not be read, or made no sense.
type failedFiles uint16

// failures is what scans cannot read.
type failures struct {
	failing [fileCount]int   // of the processes of the current scan
	reasons [fileCount]error // the newest of each file
}

// note takes down whether a file in the directory of a process could be read and made sense.
func (f *failures) note(of *failedFiles, name file, dir string, err error) {
	if err == nil {
		*of &^= 1 << name
		return
	}
	*of |= 1 << name
	f.reasons[name] = readError(filepath.Join(dir, fileNames[name]), err)
}

// count adds what cannot be read of a process to the current scan's counts.
func (f *failures) count(of failedFiles) {
	for mask := uint16(of); mask != 0; mask &= mask - 1 {
		f.failing[bits.TrailingZeros16(mask)]++
	}
}

// list returns the current scan's failures, a file each.
func (f *failures) list() []Failure {
	var list []Failure
	for name, n := range f.failing {
		if n > 0 {
			list = append(list, Failure{filepath.Join("PID", fileNames[name]), n, f.reasons[name]})
		}
	}
	return list
}
