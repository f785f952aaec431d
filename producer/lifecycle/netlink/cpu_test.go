package netlink

import (
	"testing"
	"time"
)

func TestCPU(t *testing.T) {
	for _, tt := range []struct{ ticked, counted, want time.Duration }{
		{4, 0, 4},       // the kernel does not count
		{0, 1, 0},       // a moment: right on average
		{12, 19, 12},    // still one
		{20, 24, 24},    // ticks fell on others
		{26, 24, 26},    // the last of it came after the last tick
		{900, 800, 804}, // ticks that were others'
		{1000, 1000, 1000},
	} {
		if got := cpu(tt.ticked*time.Millisecond, tt.counted*time.Millisecond); got != tt.want*time.Millisecond {
			t.Errorf("%d ms by ticks and %d counted: got %s, want %d ms", tt.ticked, tt.counted, got, tt.want)
		}
	}
}
