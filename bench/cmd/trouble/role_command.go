package main

import (
	"context"
	"os"
	"os/exec"
)

// roleWord is the first argument of this program when it is one of the troubles itself. It shows in command lines.
const roleWord = "role"

// failedRole is the exit code of a role that could not be played.
const failedRole = 125

// roleCommand is this program in a role of its own.
func roleCommand(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{roleWord}, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	return cmd, nil
}
