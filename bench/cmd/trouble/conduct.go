package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// conduct declares a run of a job, and runs two steps and then the one that it is told, until one fails.
func conduct(proctape, data, job string, last []string) error {
	told, err := exec.Command(proctape, "job", "declare", job, "--data", data, "--pid", strconv.Itoa(os.Getpid()), "--supervisor",
		"--total-sheets", "3", "--command", "configure, compile, link").Output()
	if err != nil {
		return fmt.Errorf("declare the pipeline: %w", err)
	}
	id, code := strings.TrimSpace(string(told)), 0
	for i, step := range [][]string{{"forks", "20"}, {"hog", "700ms"}, last} {
		cmd, err := roleCommand(context.Background(), step...)
		if err != nil {
			return err
		}
		run := exec.Command(proctape, append([]string{"run", "--quiet", "--data", data, "--job", job, "--sheet", strconv.Itoa(i + 1), "--"}, cmd.Args...)...)
		run.Env, run.Stderr = append(cmd.Env, "PROCTAPE_JOB_ID="+job, "PROCTAPE_RUN="+id), os.Stderr
		var ended *exec.ExitError
		if err = run.Run(); errors.As(err, &ended) {
			code = ended.ExitCode()
			break
		} else if err != nil {
			return fmt.Errorf("step %d of the pipeline: %w", i+1, err)
		}
	}
	end := exec.Command(proctape, "job", "end", job, "--data", data, "--run", id, "--exit-code", strconv.Itoa(code))
	if out, err := end.CombinedOutput(); err != nil {
		return fmt.Errorf("end the pipeline: %w: %s", err, out)
	}
	os.Exit(code)
	return nil
}
