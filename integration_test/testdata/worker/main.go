// Command worker behaves in a known way, for a recorder to see: it holds 200 MiB, opens 50 files, burns a second of CPU,
// says so, and ends with code 3 when its standard input ends. It is a program of its own because the race detector
// would double the memory of the test's.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	memory := make([]byte, 200<<20)
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	var files []*os.File
	for range 50 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			os.Exit(1)
		}
		files = append(files, f)
	}
	for cpuTime() < time.Second {
		for i := range memory[:1<<20] {
			memory[i]++
		}
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(memory)
	runtime.KeepAlive(files)
	os.Exit(3)
}

// cpuTime is the CPU time of this process.
func cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}
