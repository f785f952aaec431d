package main

import (
	"testing"
	"time"

	"github.com/proctape/proctape/schema/trouble"
)

// Thousands that reconnect come one after another, sooner in the beginning, and each within ten seconds.
func TestReconnectDelay(t *testing.T) {
	for n, most := range map[int]time.Duration{1: 2 * time.Second, 2: 4 * time.Second, 5: lastReconnect, 1000: lastReconnect} {
		tenths := map[time.Duration]int{}
		for range 1000 {
			delay := reconnectDelay(n)
			if delay < 0 || delay >= most {
				t.Fatalf("try %d waits %s, want less than %s", n, delay, most)
			}
			tenths[10*delay/most]++
		}
		for tenth := range time.Duration(10) {
			if tenths[tenth] < 20 { // of a hundred
				t.Errorf("try %d: %d of 1000 wait for %d tenths of %s: they come in a crowd", n, tenths[tenth], tenth, most)
			}
		}
	}
}

// Only trouble with the log has a connection go to another server.
func TestStandsSince(t *testing.T) {
	began := time.Now()
	for kind, want := range map[trouble.Kind]bool{trouble.LogRefuses: true, trouble.Projection: true, trouble.DiskFull: false, trouble.Retention: false} {
		since, stands := standsSince([]trouble.Trouble{{Kind: trouble.Sampling, Since: began.Add(-time.Hour)}, {Kind: kind, Since: began}})
		if stands != want || stands && !since.Equal(began) {
			t.Errorf("%s: %t since %s, want %t since %s", kind, stands, since, want, began)
		}
	}
}
