package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The marks between which the table stands in a document.
const begin, end = "<!-- table: make accuracy -->\n", "<!-- end of table -->\n"

// tableOf is the table in Markdown.
func tableOf(rows []row) string {
	var u unix.Utsname
	kernel := "?"
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s on Linux %s.\n\n", time.Now().UTC().Format("2006-01-02"), kernel)
	b.WriteString("| rung | workload | spawns and exits | CPU | CPU by exits | peak | beside | bar | verdict |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		verdict := r.Verdict
		if r.Why != "" {
			verdict += ": " + r.Why
		}
		cells := []string{r.Rung, r.Workload, r.Counts, r.CPU, r.Exits, r.Peak, r.Beside, r.Bar, verdict}
		for i := range cells {
			cells[i] = strings.NewReplacer("|", "/", "\n", " ").Replace(cells[i])
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

// write puts the table into a document.
func write(path, table string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(doc, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return fmt.Errorf("%s does not have the marks of the table", path)
	}
	return os.WriteFile(path, bytes.Join([][]byte{before, []byte(begin + "\n" + table + "\n" + end), after}, nil), 0o644)
}
