// Package row writes and reads the rows of an answer to a statement: a row is a line, a JSON array. Every value comes back as it was,
// with its type.
package row

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// End is the line behind the last row.
const End = "null\n"

// special is a value that JSON has no form for. One field is set.
type special struct {
	Bytes *[]byte `json:"bytes,omitempty"`
	Text  *[]byte `json:"text,omitempty"`  // that is not UTF-8
	Float string  `json:"float,omitempty"` // that is not finite
	Time  string  `json:"time,omitempty"`  // RFC 3339
}

// Append appends a row of values of database/sql/driver: nil, int64, float64, bool, text, bytes and times. A whole number has no
// point, and another number has one.
func Append(b []byte, values []any) ([]byte, error) {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(b, v); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

func appendValue(b []byte, v any) ([]byte, error) {
	var s special
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case float64:
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			from := len(b)
			b = strconv.AppendFloat(b, v, 'g', -1, 64)
			if !bytes.ContainsAny(b[from:], ".e") {
				b = append(b, ".0"...)
			}
			return b, nil
		}
		s.Float = strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		if utf8.ValidString(v) {
			text, err := json.Marshal(v)
			return append(b, text...), err
		}
		raw := []byte(v)
		s.Text = &raw
	case []byte:
		if v == nil {
			return append(b, "null"...), nil
		}
		s.Bytes = &v
	case time.Time:
		s.Time = v.Format(time.RFC3339Nano)
	default:
		return b, fmt.Errorf("a value of the type %T cannot be sent", v)
	}
	text, err := json.Marshal(s)
	return append(b, text...), err
}

// Parse reads a row. It is nil for [End].
func Parse(line []byte) ([]any, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil {
		return nil, errors.New("a row is not an array")
	}
	if raw == nil {
		return nil, nil
	}
	values := make([]any, len(raw))
	for i, text := range raw {
		v, err := parseValue(text)
		if err != nil {
			return nil, fmt.Errorf("value %d of a row: %w", i+1, err)
		}
		values[i] = v
	}
	return values, nil
}

func parseValue(text []byte) (any, error) {
	switch text[0] {
	case 'n':
		return nil, nil
	case 't', 'f':
		return text[0] == 't', nil
	case '"':
		var s string
		err := json.Unmarshal(text, &s)
		return s, err
	case '{':
		return parseSpecial(text)
	}
	number := string(text)
	if strings.ContainsAny(number, ".eE") {
		return strconv.ParseFloat(number, 64)
	}
	return strconv.ParseInt(number, 10, 64)
}

func parseSpecial(text []byte) (any, error) {
	var s special
	if err := json.Unmarshal(text, &s); err != nil {
		var corrupt base64.CorruptInputError
		if errors.As(err, &corrupt) {
			return nil, errors.New("bytes are not base64")
		}
		return nil, err
	}
	switch {
	case s.Bytes != nil:
		return *s.Bytes, nil
	case s.Text != nil:
		return string(*s.Text), nil
	case s.Time != "":
		return time.Parse(time.RFC3339Nano, s.Time)
	case s.Float != "":
		return strconv.ParseFloat(s.Float, 64)
	}
	return nil, errors.New("it is none of the values that a database has")
}
