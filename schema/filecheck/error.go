package filecheck

import (
	"os"
	"strings"
)

// Error says what is wrong with a path, and how to mend it. It is an fs.ErrPermission.
type Error struct {
	Path    string
	Problem string // what follows the path in a sentence, such as "is a symbolic link"
	Mend    string // a shell command, for who may run it
	cause   error  // as the kernel has it; may be nil
}

func (e *Error) Error() string { return e.Path + " " + e.Problem }

// Unwrap makes it an fs.ErrPermission, and for a symbolic link an ELOOP too.
func (e *Error) Unwrap() []error { return []error{os.ErrPermission, e.cause} }

// quote writes a path for a shell.
func quote(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 && path[0] != '-' {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
