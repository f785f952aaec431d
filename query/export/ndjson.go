package export

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// NDJSON writes one object a line, with the keys of the contract and ours beside them, as "snapshots --json" and its kin print them. The key what says what a
// line is of: samples, events, execs, runs, gaps, or coverage, which is the last. What is unknown is null.
type NDJSON struct {
	w      io.Writer
	line   bytes.Buffer
	covers []query.Coverage
}

// NewNDJSON makes a writer of NDJSON. Each line is one Write.
func NewNDJSON(w io.Writer) *NDJSON { return &NDJSON{w: w} }

// Begin writes nothing.
func (n *NDJSON) Begin(h *Head) error {
	n.covers = h.Coverage
	return nil
}

// Gap writes a gap.
func (n *NDJSON) Gap(g *query.Gap) error { return n.add(Gaps, g) }

// Run writes a run.
func (n *NDJSON) Run(r *query.Run) error { return n.add(Runs, r) }

// Event writes an event.
func (n *NDJSON) Event(e *query.Event) error { return n.add(Events, e) }

// Exec writes an exec.
func (n *NDJSON) Exec(e *query.Exec) error { return n.add(Execs, e) }

// Snapshot writes a snapshot.
func (n *NDJSON) Snapshot(s *query.Snapshot) error { return n.add(Samples, s) }

// End writes how much is known of the range.
func (n *NDJSON) End() error {
	return n.add("coverage", struct {
		Coverage []query.Coverage `json:"coverage"`
	}{n.covers})
}

// add writes a line. Characters that could steer a terminal are escapes in it.
func (n *NDJSON) add(what string, item any) error {
	n.line.Reset()
	enc := json.NewEncoder(&n.line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(item); err != nil {
		return err
	}
	text := query.NullUnknown(n.line.Bytes())
	whole := append([]byte(`{"what":"`+what+`",`), text[1:]...)
	_, err := term.JSON{W: n.w}.Write(whole)
	return err
}
