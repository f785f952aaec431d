package main

import "time"

// topFlags are the flags of top.
type topFlags struct {
	listing
	filterFlags
	by, metric string
	at         timeText
	once       bool
	noMouse    bool
	interval   time.Duration
	speed      float64
}
