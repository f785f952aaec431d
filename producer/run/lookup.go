package run

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// CommandError says that a command could not be started.
type CommandError struct {
	Command string // as it was given
	Err     error
}

func (e *CommandError) Error() string {
	if e.Err == unix.ENOENT && !strings.Contains(e.Command, "/") {
		return fmt.Sprintf("run %q: not found in PATH", e.Command)
	}
	return fmt.Sprintf("run %q: %v", e.Command, e.Err)
}

func (e *CommandError) Unwrap() error { return e.Err }

// ExitCode is what to exit with after an error of Start, the same as env(1) and timeout(1): 127 when the command was not
// found, 126 when it was and could not be executed, 125 when the failure is ours.
func ExitCode(err error) int {
	var command *CommandError
	switch {
	case !errors.As(err, &command):
		return 125
	case errors.Is(command.Err, unix.ENOENT):
		return 127
	default:
		return 126
	}
}

// lookUp finds a command as execvp(3) does: a name with a slash is a file already, any other is the first executable of
// that name on the search path. Go's own LookPath does not distinguish "not executable" from "not found".
func lookUp(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil // whether it can be executed is the kernel's to say
	}
	if name == "" {
		return "", unix.ENOENT
	}
	failure := error(unix.ENOENT)
	for dir := range strings.SplitSeq(path, ":") {
		file := filepath.Join(dir, name)
		switch err := executable(file); err {
		case nil:
			return file, nil
		case unix.ENOENT, unix.ENOTDIR:
		default:
			failure = err
		}
	}
	return "", failure
}

// executable says why a file cannot be executed by us.
func executable(file string) error {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EACCES
	}
	return unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS)
}

// searchPath is the PATH of an environment, or what the C library takes when there is none, man execvp(3).
func searchPath(env []string) string {
	for _, v := range env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			return path
		}
	}
	return "/bin:/usr/bin"
}

// mergeEnv is an environment with variables added. Those of the same name are replaced: of two, getenv(3) would find the
// first.
func mergeEnv(env, added []string) []string {
	names := make(map[string]bool, len(added))
	for _, v := range added {
		name, _, _ := strings.Cut(v, "=")
		names[name] = true
	}
	merged := make([]string, 0, len(env)+len(added))
	for _, v := range env {
		if name, _, _ := strings.Cut(v, "="); !names[name] {
			merged = append(merged, v)
		}
	}
	return append(merged, added...)
}
