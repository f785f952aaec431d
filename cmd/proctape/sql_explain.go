package main

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/remote"
	"github.com/proctape/proctape/schema"
)

// What SQLite says of a statement that it does not understand.
var (
	nearPattern    = regexp.MustCompile(`near "(.+)": syntax error`)
	unknownPattern = regexp.MustCompile(`no such (table|column|function): (\S+)`)
	codePattern    = regexp.MustCompile(`SQL logic error: | \(\d+\)$`)
)

// explainSQL adds to an error of a statement where in it and what to do about it.
func explainSQL(err error, text string) error {
	var wrong *query.StatementError
	var refused *remote.RefusedError
	switch {
	case errors.Is(err, query.ErrNotARead):
		return hinted(misuse("%w", err), `a SELECT reads rows, and nothing can be changed here; "proctape sql --schema" shows the tables`)
	case errors.Is(err, query.ErrNotOne) && query.StatementsIn(text) == 0:
		return hinted(misuse("there is no statement"), `"proctape sql --schema" shows the tables`)
	case errors.Is(err, query.ErrNotOne):
		return hinted(misuse("%w, and there are %d", err, query.StatementsIn(text)), "ask for each by itself")
	case errors.As(err, &refused) && refused.Status == http.StatusBadRequest, errors.As(err, &wrong) && !isCorrupt(err):
		said := codePattern.ReplaceAllString(err.Error(), "")
		hint := hintOfSQL(said, text)
		if hint == "" && refused != nil {
			hint = refused.Hint
		}
		if hint == "" {
			return misuse("%s", said+placeOf(said, text))
		}
		return hinted(misuse("%s", said+placeOf(said, text)), "%s", hint)
	}
	return err
}

// placeOf is where in a statement that stands which SQLite complains about; empty when that is not known.
func placeOf(said, text string) string {
	word := ""
	if m := nearPattern.FindStringSubmatch(said); m != nil {
		word = m[1]
	} else if m := unknownPattern.FindStringSubmatch(said); m != nil {
		word = lastPart(m[2])
	}
	if line, column := query.PlaceIn(text, word); line > 0 {
		return fmt.Sprintf(", in line %d, column %d", line, column)
	}
	return ""
}

// hintOfSQL is what a name that is not there was likely meant as.
func hintOfSQL(said, text string) string {
	m := unknownPattern.FindStringSubmatch(said)
	tables := schema.Tables()
	switch {
	case m == nil:
		return ""
	case m[1] == "table":
		return didYouMean("", m[2], tableNames(tables)) + `"proctape sql --schema" lists the tables`
	case m[1] == "function":
		return "the functions are SQLite's own: sqlite.org/lang_corefunc.html"
	}
	var names []string
	shown := "TABLE"
	for _, t := range tables {
		if named(text, t.Name) {
			shown = t.Name
			for _, c := range t.Columns {
				names = append(names, c.Name)
			}
		}
	}
	return fmt.Sprintf(`%s"proctape sql --schema %s" lists its columns`, didYouMean("", lastPart(m[2]), names), shown)
}

// named reports whether a statement has a name in it.
func named(text, name string) bool {
	return regexp.MustCompile(`(?i)\b` + name + `\b`).MatchString(text)
}

// lastPart is a name without the table before it.
func lastPart(name string) string { return name[strings.LastIndex(name, ".")+1:] }
