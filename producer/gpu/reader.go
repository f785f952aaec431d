package gpu

import "sync"

// Reader holds the newest figures of the GPUs. Run fetches them; the other methods may be called at any time from any
// goroutine, and never wait for a driver.
type Reader struct {
	cfg Config

	mu     sync.Mutex
	gpus   gpuTable
	apps   appTable
	cards  []reading // AMD's, in the order of their numbers
	nvidia stream
	memory stream
	stats  Stats
	told   map[string]bool // the odd values that were told
}

// Stats counts since the start.
type Stats struct {
	Lines     uint64 // lines that nvidia-smi printed
	Malformed uint64 // of these, not understood and skipped
	Odd       uint64 // of these, with a value that was not understood and is unknown
	Ends      uint64 // nvidia-smi ended without being told to, or could not be started
	Hangs     uint64 // nvidia-smi was killed because it hung
}

// A stream is one question that an nvidia-smi, kept running, answers again and again.
type stream struct {
	query      string // the argument that asks
	table      table  // where the answers go
	silenceErr error  // what it means that there is none for long: errHung, or errSilent where there may be none to give

	reason  string // why there is no answer; empty: there is one
	badLine string // the first line of this run that was not understood
}
