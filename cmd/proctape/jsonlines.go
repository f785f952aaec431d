package main

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"

	"github.com/proctape/proctape/query"
)

// jsonLines writes objects, one a line. The last line has the key coverage beside its own; when there is no object, it has nothing else.
type jsonLines struct {
	w      io.Writer
	held   []byte // the newest line, until another comes
	covers []query.Coverage
	told   bool
}

// add takes an object.
func (j *jsonLines) add(item any) error {
	var line bytes.Buffer
	if err := newJSON(&line).Encode(item); err != nil {
		return err
	}
	held := j.held
	j.held = line.Bytes()
	if held == nil {
		return nil
	}
	_, err := j.w.Write(held)
	return err
}

// covered says what the last line tells of coverage.
func (j *jsonLines) covered(covers []query.Coverage) { j.covers, j.told = covers, true }

// flush writes the last line.
func (j *jsonLines) flush() error {
	line := bytes.TrimSuffix(j.held, []byte("\n"))
	if j.told {
		covers, err := json.Marshal(j.covers)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			line = []byte("{}")
		}
		line = slices.Concat(line[:len(line)-1], []byte(`,"coverage":`), covers, []byte("}"))
		line = bytes.Replace(line, []byte("{,"), []byte("{"), 1)
	}
	if len(line) == 0 {
		return nil
	}
	_, err := j.w.Write(append(line, '\n'))
	return err
}
