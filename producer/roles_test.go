package producer

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	embeddednats "github.com/proctape/proctape/embedded-nats"
)

const (
	dirKey     = "PRODUCER_TEST_DIR"     // of the server, for who plays "produce"
	profileKey = "PRODUCER_TEST_PROFILE" // file to which it writes its CPU profile
)

// produce runs a producer as proctape does, and at each line of its input says how much CPU this process has used.
func produce(dir string) error {
	if path := os.Getenv(profileKey); path != "" {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	keys, err := embeddednats.LoadKeys(embeddednats.KeysDir(dir))
	if err != nil {
		return err
	}
	nc, err := nats.Connect("", append(keys.Admin.Options(), nats.InProcessServer(embeddednats.Socket(embeddednats.SocketPath(dir))))...)
	if err != nil {
		return err
	}
	defer nc.Close()
	p, err := New(nc, Config{Host: "h", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var usage unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
			return err
		}
		fmt.Println(usage.Utime.Nano()+usage.Stime.Nano(), p.Stats().Produced)
	}
	stop()
	return <-ended
}

// forkOnOrder reads, line by line, how many processes to make, whether of another program, and how many microseconds to
// wait between two; it waits for them all, and says so.
func forkOnOrder() error {
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var n, pause int
		var program string
		if _, err := fmt.Sscan(in.Text(), &n, &program, &pause); err != nil {
			return err
		}
		began := time.Now()
		for i := range n {
			if err := makeProcess(program); err != nil {
				return err
			}
			time.Sleep(time.Until(began.Add(time.Duration(i+1) * time.Duration(pause) * time.Microsecond)))
		}
		fmt.Println("done")
	}
	return nil
}

// makeProcess makes a process and waits for its end: of a program, or of this one, which ends at once.
func makeProcess(program string) error {
	if program == "-" {
		return forkOnce()
	}
	p, err := os.StartProcess(program, []string{program}, &os.ProcAttr{})
	if err != nil {
		return err
	}
	_, err = p.Wait()
	return err
}

// forkOnce makes a process that ends and does nothing else: after a fork in a program of many threads, there is little
// else that works.
//
//go:norace
func forkOnce() error {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("clone", errno)
	}
	if pid == 0 {
		for {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	_, err := unix.Wait4(int(pid), nil, 0, nil)
	return err
}
