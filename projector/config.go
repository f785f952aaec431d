package projector

import (
	"cmp"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/schema/trouble"
)

// Config sets a projector. The zero value of each field but DB works.
type Config struct {
	DB        string // path of the database
	NDJSON    string // folder of the NDJSON files; empty for none
	FileName  string // name of the file of snapshots there; default monitor.jsonl
	FileLimit int64  // bytes from which a file is rotated; default 50 MiB
	// Hosts are patterns of path.Match of the hosts that a new database is of; nil for all, or for those that the database is of already.
	// Messages of others are passed over.
	Hosts []string
	// FilesOfOthers is whether another program rotates the files: what it takes away is not written again.
	FilesOfOthers bool
	// Once makes Run end when all is folded that the log held when it began. Nothing is acknowledged and no durable
	// is made then: the log does not wait for such a database.
	Once  bool
	From  map[string]uint64 // for Once: the sequence to begin with, by stream; default the first
	Until map[string]uint64 // for Once: the sequence to end with, by stream; default the last when Run begins
	// LackStreams, for Once, makes a stream that the log does not have count as empty. Otherwise it is an error.
	LackStreams bool
	Drain       time.Duration  // how long Run goes on, after its context ended, to fold what the log holds; default 5 s
	Rules       *anomaly.Rules // look at what is folded; default the built-in ones
	// Retention takes away what is too old; nil for nothing, and for Once nothing ever.
	Retention *retention.Settings
	// CheckInterval is the time from the beginning of a check of all that was written to the next, at least; default a minute.
	CheckInterval time.Duration
	Memory        Memory // bounds what is held in memory
	// Beat is called with each piece of work, and every few seconds while there is none, or while trouble is waited out: as long as it is
	// called, the projector is not stuck. Nil for nobody who wants to know.
	Beat    func()
	Log     *slog.Logger
	Trouble *trouble.Reporter // is told of trouble; default one that reports to Log
}

// withDefaults is c with the defaults in place of zeros, and with absolute paths.
func (c Config) withDefaults() (Config, error) {
	c.Drain = cmp.Or(c.Drain, 5*time.Second)
	c.CheckInterval = cmp.Or(c.CheckInterval, time.Minute)
	c.Memory = c.Memory.withDefaults()
	if c.Rules == nil {
		var err error
		if c.Rules, err = anomaly.Compile(anomaly.BuiltIn()); err != nil {
			return c, err
		}
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	if c.Beat == nil {
		c.Beat = func() {}
	}
	if c.Trouble == nil {
		c.Trouble = trouble.NewReporter(c.Log)
	}
	var err error
	if c.DB, err = filepath.Abs(c.DB); err != nil {
		return c, err
	}
	if c.NDJSON != "" {
		c.NDJSON, err = filepath.Abs(c.NDJSON)
	}
	return c, err
}

// layout is how the files lie.
func (c Config) layout() ndjson.Layout {
	return ndjson.Layout{Dir: c.NDJSON, Snapshots: c.FileName, Limit: c.FileLimit, Others: c.FilesOfOthers}
}
