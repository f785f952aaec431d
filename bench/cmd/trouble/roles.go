package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// play plays a role.
func play(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("no role")
	}
	n, _ := strconv.Atoi(args[1])
	switch role := args[0]; role {
	case "leak":
		return leak(n, duration(args, 2), duration(args, 3))
	case "pipeline":
		return conduct(args[1], args[2], args[3], args[4:])
	case "within":
		return within(args[1], args[2:])
	case "exit":
		os.Exit(n)
		return nil
	case "hog":
		return hog(duration(args, 1))
	case "forks":
		return forks(n)
	case "crashes":
		return crashes(n, duration(args, 2))
	case "zombies":
		return zombies(n, duration(args, 2))
	case "daemons":
		return daemons(n)
	default:
		return fmt.Errorf("no role %q", role)
	}
}

func duration(args []string, i int) time.Duration {
	if i >= len(args) {
		return 0
	}
	d, _ := time.ParseDuration(args[i])
	return d
}

// leak takes so many MiB of memory piece by piece, says that it has it, and holds it.
func leak(mib int, takes, holds time.Duration) error {
	const piece = 4 // MiB
	var held [][]byte
	for range mib / piece {
		b := make([]byte, piece<<20)
		for i := 0; i < len(b); i += os.Getpagesize() {
			b[i] = 1
		}
		held = append(held, b)
		time.Sleep(takes / time.Duration(mib/piece))
	}
	time.Sleep(holds)
	fmt.Println("held")
	time.Sleep(holds / 10)
	runtime.KeepAlive(held)
	return nil
}

// within leaks in a control group, and ends as what leaks there does.
func within(group string, args []string) error {
	cmd := exec.Command(os.Args[0], append([]string{roleWord, "leak"}, append(args, "0s")...)...)
	cmd.Env = append(os.Environ(), "TROUBLE_GROUP="+group)
	cmd.Stderr = os.Stderr
	if self, err := os.Executable(); err == nil {
		cmd.Path = self
	}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(cmd.ProcessState.ExitCode())
	return nil
}

// init moves this process into the control group that it is told, before it takes any memory.
func init() {
	if group := os.Getenv("TROUBLE_GROUP"); group != "" {
		if err := write(filepath.Join(group, "cgroup.procs"), []byte("0")); err != nil {
			fmt.Fprintln(os.Stderr, "trouble:", err)
			os.Exit(failedRole)
		}
	}
}

// memoryGroup makes a control group with a limit of so many MiB and no swap, of version 1 or 2.
func memoryGroup(mib int) (string, error) {
	limit := []byte(strconv.Itoa(mib << 20))
	var failed []string
	for _, of := range []struct{ root, limit, swap, none string }{
		{"/sys/fs/cgroup", "memory.max", "memory.swap.max", "0"},
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", string(limit)},
	} {
		group := filepath.Join(of.root, fmt.Sprintf("trouble-%d", os.Getpid()))
		if err := os.Mkdir(group, 0o755); err != nil {
			failed = append(failed, err.Error())
			continue
		}
		if err := write(filepath.Join(group, of.limit), limit); err != nil {
			removeGroup(group)
			failed = append(failed, err.Error())
			continue
		}
		_ = write(filepath.Join(group, of.swap), []byte(of.none)) // a kernel without accounting of swap has no such file
		return group, nil
	}
	return "", fmt.Errorf("%s", strings.Join(failed, "; "))
}

// write writes to a file that is there: where the kernel has none, none is made.
func write(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// removeGroup removes a control group, which takes a moment after its last process has ended.
func removeGroup(group string) {
	for range 50 {
		if os.Remove(group) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// hog uses CPU until it has used so much.
func hog(used time.Duration) error {
	var ts unix.Timespec
	for n := uint64(0); time.Duration(ts.Nano()) < used; n++ {
		for range 1 << 20 {
			n = n*6364136223846793005 + 1442695040888963407
		}
		runtime.KeepAlive(n)
		if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
			return err
		}
	}
	fmt.Println("used")
	return nil
}

// forks starts so many processes, one after the other.
func forks(n int) error {
	for range n {
		if err := exec.Command("true").Run(); err != nil {
			return err
		}
	}
	fmt.Println("done")
	return nil
}

// crashes starts so many shells that die by a signal.
func crashes(n int, pause time.Duration) error {
	for range n {
		cmd := exec.Command("sh", "-c", "kill -SEGV $$")
		if err := cmd.Run(); cmd.ProcessState == nil {
			return err
		}
		fmt.Print(cmd.Process.Pid, " ")
		time.Sleep(pause)
	}
	fmt.Println()
	return nil
}

// zombies starts children that end, and does not wait for them while it lasts.
func zombies(n int, lasts time.Duration) error {
	for range n {
		cmd := exec.Command("true")
		if err := cmd.Start(); err != nil {
			return err
		}
		fmt.Print(cmd.Process.Pid, " ")
	}
	time.Sleep(lasts)
	fmt.Println()
	return nil
}

// daemons starts processes in sessions of their own, and ends before them.
func daemons(n int) error {
	for range n {
		cmd := exec.Command("sleep", "3600")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			return err
		}
		fmt.Print(cmd.Process.Pid, " ")
	}
	time.Sleep(300 * time.Millisecond)
	fmt.Println()
	return nil
}
