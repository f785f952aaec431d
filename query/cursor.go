package query

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"strings"
)

// Cursor is the place of an item in a listing. What is in it is nobody's business: it is given by an item, such as
// [Event.Cursor], and given back as [Range.After], so that a listing goes on where it was left, whatever was recorded or deleted
// meanwhile. It is text that a URL can hold. Hold it no longer than the records: a database that was made anew from the log has
// the same places.
type Cursor string

// ErrCursor is returned for a cursor that no item of a listing gave.
var ErrCursor = errors.New("not a cursor of this program")

// CheckCursor returns [ErrCursor] when a text from outside is not a cursor. Empty is the beginning, and is one.
func CheckCursor(text string) error {
	if text == "" {
		return nil
	}
	_, err := readPosition(Cursor(text))
	return err
}

// Time is that of the item, Unix seconds; 0 of the empty cursor.
func (c Cursor) Time() float64 { return max(0, c.position().at) }

// The listings of which one is merged. At one time a snapshot comes before a minute.
const (
	ofRows           int64 = iota // of a table with one row for each item
	ofMinutes                     // of the one-minute rollups
	ofProcessMinutes              // of processes in the one-minute rollups
)

// position is what orders a listing: by time, then by which listing it is of, then by the id of the row.
type position struct {
	at      float64 // Unix seconds
	kind    int64
	id      int64
	process int64 // of ofProcessMinutes: the process, as a pid can be two in one minute
}

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.at, q.at), cmp.Compare(p.kind, q.kind), cmp.Compare(p.id, q.id), cmp.Compare(p.process, q.process))
}

// keyColumns are the columns that order a listing of a kind, and of the position their values.
func (p position) keyColumns(kind int64) (columns []string, values []any) {
	columns, values = []string{"t.timestamp", "t.id"}, []any{p.at, p.id}
	if kind == ofProcessMinutes {
		columns, values = append(columns, "m.process_id"), append(values, p.process)
	}
	return columns, values
}

const positionSize = 25

// cursor is the position as text.
func (p position) cursor() Cursor {
	b := binary.BigEndian.AppendUint64(nil, math.Float64bits(p.at))
	b = append(b, byte(p.kind))
	b = binary.BigEndian.AppendUint64(b, uint64(p.id))
	b = binary.BigEndian.AppendUint64(b, uint64(p.process))
	return Cursor(base64.RawURLEncoding.EncodeToString(b))
}

func readPosition(c Cursor) (position, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(c))
	if err != nil || len(b) != positionSize || b[8] > byte(ofProcessMinutes) {
		return position{}, ErrCursor
	}
	p := position{math.Float64frombits(binary.BigEndian.Uint64(b)), int64(b[8]), int64(binary.BigEndian.Uint64(b[9:])),
		int64(binary.BigEndian.Uint64(b[17:]))}
	if math.IsNaN(p.at) || math.IsInf(p.at, 0) {
		return position{}, ErrCursor
	}
	return p, nil
}

// position is where the cursor is; the beginning when it is none.
func (c Cursor) position() position {
	p, err := readPosition(c)
	if err != nil {
		return position{at: math.Inf(-1)}
	}
	return p
}

// beyond is the condition for rows of a listing of a kind, in the alias t, that come behind the position.
func (p position) beyond(kind int64, downward bool) (condition string, args []any) {
	than := ">"
	order := cmp.Compare(kind, p.kind)
	if downward {
		than, order = "<", -order
	}
	switch {
	case order > 0: // what is of the same time comes behind
		return ` AND t.timestamp ` + than + `= ?`, []any{p.at}
	case order < 0:
		return ` AND t.timestamp ` + than + ` ?`, []any{p.at}
	}
	columns, values := p.keyColumns(kind)
	return ` AND (` + strings.Join(columns, ", ") + `) ` + than + ` (` + placeholders(len(values)) + `)`, values
}
