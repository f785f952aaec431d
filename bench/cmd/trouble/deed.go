package main

import (
	"encoding/json"
	"os"
	"sync"
	"time"
)

// Deed is one thing that was done.
type Deed struct {
	What   string  `json:"what"`             // leak, hog, forks, crashes, zombies, daemons, pipeline, or skipped
	PID    int     `json:"pid,omitempty"`    // of the process that did it
	PIDs   []int   `json:"pids,omitempty"`   // of those that it was done to, where they are few
	From   float64 `json:"from"`             // Unix seconds
	To     float64 `json:"to"`               // of its height, or its end
	Count  int     `json:"count,omitempty"`  // how many processes, or MiB of memory, or CPU seconds
	Job    string  `json:"job,omitempty"`    // of which it is a run
	Exit   int     `json:"exit"`             // with which code it ended
	Detail string  `json:"detail,omitempty"` // why it was skipped
}

// troublemaker makes the trouble.
type troublemaker struct {
	proctape, data string
	lasts          time.Duration
	mib            int

	mu   sync.Mutex // of the output
	left []int      // daemons that are ended at the end
}

// tell prints a deed.
func (t *troublemaker) tell(d Deed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d.To == 0 {
		d.To = now()
	}
	_ = json.NewEncoder(os.Stdout).Encode(d) // whoever read it has gone
}

func now() float64 { return float64(time.Now().UnixNano()) / 1e9 }
