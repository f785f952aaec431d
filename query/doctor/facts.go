package doctor

import "time"

// Facts are what checks are made of.
type Facts struct {
	Machine   Machine
	Clock     Clock
	Abilities []Ability
	RunGroup  string // why a run gets no control group; empty when it gets one
	Interval  time.Duration
	Folder    Folder
	Keys      []KeyFile
	Server    Server
}

// Ability is what a sampler can see or cannot see here, as it found out by trying.
type Ability struct {
	Name   string // of the capability, as snapshots list it; empty for another
	Have   bool
	Detail string
	Grant  string // in words
	Quiet  bool   // it is missing, and that is no lack
}

// KeyFile is a file with a key or a token, and what is wrong with it.
type KeyFile struct {
	Path  string
	Error string // empty for nothing
	Mend  string // the command that mends it
}

// Server is what came of connecting to the log's server.
type Server struct {
	Name      string // its address, or whose recorder it is
	Asked     bool   // there is one to connect to: --server names it, or a recorder runs
	Error     string // why there is no connection; empty when there is
	Grant     string // what to do about it
	Version   string // of nats-server
	RoundTrip time.Duration
	Read      string // why the log cannot be read; empty when it can
	Host      string // as which publishing was tried; empty when it was not
	Publish   string // why the key may not publish as Host; empty when it may
}

// Machine is what the kernel says of itself and of this process.
type Machine struct {
	Kernel     string // such as 6.18.44
	Processor  string // such as x86_64
	Root       bool   // the process runs as root
	Program    string // its file
	Contained  bool   // it is not in the first pid or user namespace
	Privileges []string
	// Hierarchies are the versions of control groups that are mounted, such as "version 2".
	Hierarchies []string
	Types       bool   // the kernel describes its types: BTF
	Files       uint64 // that the process may open
	Processes   int    // of the machine, as far as /proc shows them
	Proc        string // where the /proc of the machine is mounted that is recorded; empty for /proc
	Total       int64  // memory of that machine, in bytes, 0 when not known
	Memory      int64  // that the process may take, in bytes, 0 when not known
	MemoryBy    string // who allows that
}

// Clock is how the machine's clock is kept.
type Clock struct {
	Known bool
	Kept  bool // a time service sets it
}

// Folder is what came of trying a data folder.
type Folder struct {
	Path     string
	Exists   bool
	Tried    string // the folder in which files were made: the data folder, or the nearest one above it that exists
	Error    string // why no recording can be made there; empty when one can
	Mend     string // the command that mends it
	Free     uint64 // bytes that are free to this user
	FS       string // the kind of file system; empty for one that is not told apart
	Remote   bool   // it is on another machine
	Fleeting bool   // it is gone after a boot
	Sync     time.Duration
	Recorder int // pid of the recorder that has its log open; 0 for none
}
