package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// roleEnv makes the test program play a role in place of running tests.
const roleEnv = "PROCTAPE_TEST_ROLE"

// play is what the test program does as an actor. It returns the exit code.
func play(role string) int {
	switch role {
	case "worker":
		return playWorker()
	}
	fmt.Fprintf(os.Stderr, "no role %q\n", role)
	return 2
}

// What the worker does.
const (
	workerMiB   = 200
	workerFiles = 50
	workerCPU   = time.Second
	workerCode  = 3
)

// playWorker holds 200 MiB, opens 50 files, burns a second of CPU, says so, and ends with code 3 when told to.
func playWorker() int {
	memory := make([]byte, workerMiB<<20)
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	var files []*os.File
	for range workerFiles {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return 1
		}
		files = append(files, f)
	}
	for cpuTime() < workerCPU {
		for i := range memory[:1<<20] {
			memory[i]++
		}
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1)) // until the test closes it
	for _, f := range files {
		f.Close()
	}
	return workerCode + int(memory[0]-memory[0])
}

// cpuTime is the CPU time of this process.
func cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// actor starts this test program in a role, with a job.
func actor(t *testing.T, role, job string, sheet int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role, "GOMAXPROCS=1", "GOGC=off",
		"PROCTAPE_JOB_ID="+job, "PROCTAPE_SHEET="+strconv.Itoa(sheet))
	cmd.Stderr = os.Stderr
	return cmd
}
