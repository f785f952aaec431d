package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/proctape/proctape/schema/filecheck"
	"github.com/spf13/cobra"
	"slices"
)

// misuseError is an error of the command line.
type misuseError struct{ error }

func (e *misuseError) Unwrap() error { return e.error }

// misuse returns an error of the command line, which exits with 2.
func misuse(format string, args ...any) error { return &misuseError{fmt.Errorf(format, args...)} }

// hintedError carries what to do about an error.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }

// hinted adds to an error what to do about it.
func hinted(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...)}
}

// hintOf is what to do about an error; empty when that is not known.
func hintOf(err error) string {
	var unsafe *filecheck.Error
	if errors.As(err, &unsafe) {
		return "mend it with: " + unsafe.Mend
	}
	var h *hintedError
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}

// withHint is the text of an error and what to do about it, in one line.
func withHint(err error) string {
	if hint := hintOf(err); hint != "" {
		return err.Error() + "; " + hint
	}
	return err.Error()
}

// languageWords are words of Go's library for what people call otherwise.
var languageWords = strings.NewReplacer("context deadline exceeded", "it took too long: no answer came in time", "context canceled", "interrupted",
	"nats: no responders available for request", "nobody answers", "unexpected EOF", "it ends too early", "i/o timeout", "no answer in time")

// exitCodeError ends the program with the exit code of the command that it ran. Everything has been printed by then.
type exitCodeError struct{ code int }

func (e *exitCodeError) Error() string { return "exit " + strconv.Itoa(e.code) }

// isCorrupt reports whether SQLite says that a file is damaged or not a database.
func isCorrupt(err error) bool {
	code := sqliteCode(err)
	return code == sqlitelib.SQLITE_CORRUPT || code == sqlitelib.SQLITE_NOTADB
}

// isNoFile reports whether a file could not be opened because its path leads nowhere.
func isNoFile(err error) bool {
	return errors.Is(err, unix.ENOTDIR) || sqliteCode(err) == sqlitelib.SQLITE_CANTOPEN
}

// sqliteCode is SQLite's code for an error, without what it adds for details; 0 for an error that is not SQLite's.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// plainWords is the text of an error without the number that SQLite puts behind it, and without words of the language.
func plainWords(err error) string {
	text := languageWords.Replace(err.Error())
	var e *sqlite.Error
	if errors.As(err, &e) {
		text = strings.ReplaceAll(text, fmt.Sprintf(" (%d)", e.Code()), "")
	}
	return text
}

// firstChanged is the first of some flags that was given, or nothing.
func firstChanged(cmd *cobra.Command, names ...string) string {
	i := slices.IndexFunc(names, cmd.Flags().Changed)
	if i < 0 {
		return ""
	}
	return names[i]
}
