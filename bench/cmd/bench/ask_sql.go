package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// example is a statement in docs/sql.md, as proctape sql or sqlite3 is given it.
var example = regexp.MustCompile(`(?s)\$ (?:proctape sql|sqlite3 -readonly \S+)(?: --\w+)* "(SELECT.*?)"\n`)

// exampleBar is how much CPU each statement of docs/sql.md may take, in milliseconds, the start of the program included.
const exampleBar = 500

// askDocument measures the statements of docs/sql.md on the recording of a folder.
func askDocument(b *bench, dir string, words *strings.Replacer) error {
	text, err := os.ReadFile("docs/sql.md")
	if err != nil {
		return err
	}
	examples := example.FindAllSubmatch(text, -1)
	if len(examples) == 0 {
		return fmt.Errorf("docs/sql.md has no statement")
	}
	of := strings.NewReplacer("build-7", words.Replace("JOB"), "4083", words.Replace("PID"), "unixepoch()", words.Replace("AT")) // what the document has
	for _, e := range examples {
		statement := of.Replace(string(e[1]))
		var cpu []float64
		for range b.rounds {
			a, err := asked(b, dir, []string{"sql", "--csv", statement}, false)
			if err != nil {
				return err
			}
			cpu = append(cpu, a.cpu)
		}
		begins := strings.Fields(statement)
		b.add("… sql: "+strings.Join(begins[:min(len(begins), 8)], " ")+" …: CPU", "ms", atMost(exampleBar), cpu...)
	}
	return nil
}
