package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// act runs a role to its end. What the role says on a line of its own comes back.
func (t *troublemaker) act(ctx context.Context, d Deed, args ...string) error {
	cmd, err := roleCommand(ctx, args...)
	if err != nil {
		return err
	}
	d.From = now()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.What, err)
	}
	d.PID = cmd.Process.Pid
	lines := bufio.NewScanner(out)
	for lines.Scan() { // "held", or the pids of those that it is done to
		d.To = now()
		for _, word := range strings.Fields(lines.Text()) {
			if pid, err := strconv.Atoi(word); err == nil {
				d.PIDs = append(d.PIDs, pid)
			}
		}
		t.tell(d)
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.What, err)
	}
	return nil
}

// leak takes memory for half of the time, and holds it for the rest.
func (t *troublemaker) leak(ctx context.Context, length time.Duration) error {
	return t.act(ctx, Deed{What: "leak", Count: t.mib}, "leak", strconv.Itoa(t.mib), (length / 2).String(), (length / 2).String())
}

// hog uses a CPU for two seconds of it, or a fifth of the time.
func (t *troublemaker) hog(ctx context.Context, length time.Duration) error {
	used := max(2*time.Second, length/5)
	return t.act(ctx, Deed{What: "hog", Count: int(used.Seconds())}, "hog", used.String())
}

// forks starts many processes that end at once.
func (t *troublemaker) forks(ctx context.Context, length time.Duration) error {
	n := 150 * max(1, int(length/time.Minute))
	return t.act(ctx, Deed{What: "forks", Count: n}, "forks", strconv.Itoa(n))
}

// crashes starts something again and again that dies by a signal.
func (t *troublemaker) crashes(ctx context.Context, length time.Duration) error {
	n := 5 * max(1, int(length/time.Minute))
	return t.act(ctx, Deed{What: "crashes", Count: n}, "crashes", strconv.Itoa(n), (length / time.Duration(2*n)).String())
}

// zombies lets children end without waiting for them.
func (t *troublemaker) zombies(ctx context.Context, length time.Duration) error {
	return t.act(ctx, Deed{What: "zombies", Count: 3}, "zombies", "3", (length * 3 / 4).String())
}

// daemons is a job that ends and leaves two processes behind.
func (t *troublemaker) daemons(ctx context.Context, _ time.Duration) error {
	cmd, err := roleCommand(ctx, "daemons", "2")
	if err != nil {
		return err
	}
	d := Deed{What: "daemons", Job: "trouble-agent", Count: 2, From: now()}
	run := exec.CommandContext(ctx, t.proctape, append([]string{"run", "--quiet", "--data", t.data, "--job", d.Job, "--"}, cmd.Args...)...)
	run.Env = append(os.Environ(), "PROCTAPE_RUN=")
	run.Stderr = os.Stderr
	// A file and not a pipe: the daemons keep the other end open.
	said, err := os.CreateTemp("", "trouble")
	if err != nil {
		return err
	}
	defer said.Close()
	defer os.Remove(said.Name())
	run.Stdout = said
	if err := run.Run(); err != nil {
		return fmt.Errorf("daemons: %w", err)
	}
	if _, err := said.Seek(0, io.SeekStart); err != nil {
		return err
	}
	text, err := io.ReadAll(said)
	for _, word := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil {
			d.PIDs = append(d.PIDs, pid)
		}
	}
	t.mu.Lock()
	t.left = append(t.left, d.PIDs...)
	t.mu.Unlock()
	t.tell(d)
	return err
}

// endDaemons ends what the daemons' job left behind.
func (t *troublemaker) endDaemons() {
	for _, pid := range t.left {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // it may have ended by itself
		}
	}
}

// pipeline runs a job of three steps. With a failure the last of them runs out of memory. A conductor of its own runs it, so that
// what this process does besides is not the job's.
func (t *troublemaker) pipeline(ctx context.Context, failing bool) error {
	d := Deed{What: "pipeline", Job: "trouble-pipeline", From: now()}
	link := []string{"leak", strconv.Itoa(t.mib / 4), "300ms", "500ms"}
	if failing {
		group, err := memoryGroup(t.mib / 2)
		if err != nil {
			t.tell(Deed{What: "skipped", From: now(), Detail: "no control group of memory can be made, so the step ends with 3 and not for want of memory: " + err.Error()})
			link = []string{"exit", "3"}
		} else {
			defer removeGroup(group)
			link = []string{"within", group, strconv.Itoa(t.mib), "3s"}
		}
	}
	cmd, err := roleCommand(ctx, append([]string{"pipeline", t.proctape, t.data, d.Job}, link...)...)
	if err != nil {
		return err
	}
	cmd.Env = append(cmd.Env, "PROCTAPE_RUN=", "PROCTAPE_JOB_ID=")
	var ended *exec.ExitError
	if err = cmd.Run(); err != nil && !errors.As(err, &ended) {
		return fmt.Errorf("pipeline: %w", err)
	}
	if ended != nil {
		if d.Exit = ended.ExitCode(); d.Exit == failedRole {
			return errors.New("pipeline: it could not be run")
		}
	}
	d.PID = cmd.Process.Pid
	t.tell(d)
	return nil
}
