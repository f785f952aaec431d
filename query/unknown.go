package query

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
)

// NullUnknown writes null for what is unknown in JSON that encoding/json made: in an object with the key unknown, a list of keys, for the values of
// those keys. What an answer holds for want of a better value, such as 0, is then not read as a fact. JSON without such an object is returned
// as it is.
func NullUnknown(text []byte) []byte {
	if !bytes.Contains(text, []byte(`"unknown":["`)) {
		return text
	}
	u := unknownValues{json.NewDecoder(bytes.NewReader(text)), nil}
	for {
		if _, err := u.value(); err != nil { // the end
			break
		}
	}
	slices.SortFunc(u.places, func(a, b [2]int64) int { return cmp.Compare(a[0], b[0]) })
	out, at := make([]byte, 0, len(text)), int64(0)
	for _, p := range u.places {
		if p[0] < at { // in one that is unknown itself
			continue
		}
		out = append(append(out, text[at:p[0]]...), "null"...)
		at = p[1]
	}
	return append(out, text[at:]...)
}

// unknownValues finds where the values of unknown keys stand.
type unknownValues struct {
	dec    *json.Decoder
	places [][2]int64 // from and to, in bytes
}

// value reads one value. It returns the texts of a list of texts.
func (u *unknownValues) value() (texts []string, err error) {
	token, err := u.dec.Token()
	switch token {
	case json.Delim('['):
		for err == nil && u.dec.More() {
			var text []string
			text, err = u.value()
			texts = append(texts, text...)
		}
		_, end := u.dec.Token()
		return texts, cmp.Or(err, end)
	case json.Delim('{'):
		return nil, u.members()
	}
	if text, is := token.(string); is {
		texts = []string{text}
	}
	return texts, err
}

// members reads the members of an object.
func (u *unknownValues) members() error {
	places := map[string][2]int64{}
	var unknown []string
	for u.dec.More() {
		token, err := u.dec.Token()
		if err != nil {
			return err
		}
		key, from := token.(string), u.dec.InputOffset()+1 // behind the colon
		texts, err := u.value()
		if err != nil {
			return err
		}
		if key == "unknown" {
			unknown = texts
		}
		places[key] = [2]int64{from, u.dec.InputOffset()}
	}
	for _, key := range unknown {
		if p, is := places[key]; is {
			u.places = append(u.places, p)
		}
	}
	_, err := u.dec.Token()
	return err
}
