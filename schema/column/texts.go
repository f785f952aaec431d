package column

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"unicode/utf8"
)

// Table collects the distinct texts of a column, by first use. It keeps its memory from column to column. The zero value has
// none and is ready to use.
type Table struct {
	texts   []string
	indices []int64
	seed    maphash.Seed
	slots   []int32 // by hash: the place of a text, plus one; 0 is free. A power of two, and at most half are taken
}

// Collect takes in a column and returns its distinct texts, which are valid until the next call.
func (t *Table) Collect(values []string) []string {
	t.Clear()
	before := int64(-1)
	for _, s := range values {
		if before < 0 || t.texts[before] != s {
			before = t.place(s)
		}
		t.indices = append(t.indices, before)
	}
	return t.texts
}

// place is where a text stands in the table, which it enters if it is new.
func (t *Table) place(s string) int64 {
	if 2*len(t.texts) >= len(t.slots) {
		t.grow()
	}
	slot := t.slot(s)
	if at := t.slots[slot]; at > 0 {
		return int64(at - 1)
	}
	t.texts = append(t.texts, s)
	t.slots[slot] = int32(len(t.texts))
	return int64(len(t.texts) - 1)
}

// slot is where a text is, or would be, in slots.
func (t *Table) slot(s string) int {
	last := len(t.slots) - 1
	for i := int(maphash.String(t.seed, s)) & last; ; i = (i + 1) & last {
		if at := t.slots[i]; at == 0 || t.texts[at-1] == s {
			return i
		}
	}
}

// grow makes room for more texts.
func (t *Table) grow() {
	if t.slots == nil {
		t.seed = maphash.MakeSeed()
	}
	t.slots = make([]int32, max(64, 2*len(t.slots)))
	for at, s := range t.texts {
		t.slots[t.slot(s)] = int32(at + 1)
	}
}

// Clear lets go of the texts. Of memory for many more it lets go too.
func (t *Table) Clear() {
	if len(t.slots) > 32*max(len(t.texts), 64) {
		t.slots = nil
	}
	clear(t.slots)
	clear(t.texts)
	t.texts, t.indices = t.texts[:0], t.indices[:0]
}

// AppendTexts appends the table: the lengths of all texts, then their bytes. It reports whether ReadTexts would take them.
func (t *Table) AppendTexts(b []byte, limit int) (_ []byte, ok bool) {
	ok = true
	for _, s := range t.texts {
		b = binary.AppendUvarint(b, uint64(len(s)))
		ok = ok && len(s) <= limit && (s == "" || utf8.RuneStart(s[0]))
	}
	from := len(b)
	for _, s := range t.texts {
		b = append(b, s...)
	}
	return b, ok && utf8.Valid(b[from:]) && bytes.IndexByte(b[from:], 0) < 0
}

// AppendIndices appends the column of places in the table.
func (t *Table) AppendIndices(b []byte, mode Mode) []byte {
	return Format{Mode: mode}.Append(b, t.indices)
}

// ReadTexts reads a table of count texts of at most limit bytes, which must be UTF-8 without a NUL. They share one string. A
// table has no more texts than bytes: each takes one for its length.
func ReadTexts(b []byte, count, limit int) ([]string, error) {
	if count > len(b) {
		return nil, fmt.Errorf("%d texts in %d bytes", count, len(b))
	}
	r := reader{b: b}
	sum := int64(0)
	for range count {
		n := r.number()
		if n > int64(limit) {
			return nil, fmt.Errorf("text of %d bytes, the limit is %d", n, limit)
		}
		sum += n
	}
	switch {
	case r.err != nil:
		return nil, r.err
	case sum != int64(r.left()):
		return nil, fmt.Errorf("texts of %d bytes in %d", sum, r.left())
	}
	all := string(b[r.at:])
	if !utf8.ValidString(all) {
		return nil, errors.New("its texts are not UTF-8")
	}
	if strings.IndexByte(all, 0) >= 0 {
		return nil, errors.New("a text holds a NUL")
	}
	texts := make([]string, count)
	r.at = 0
	for i := range texts { // the lengths once more, which costs less than to keep them
		if all != "" && !utf8.RuneStart(all[0]) {
			return nil, errors.New("a text begins within a character")
		}
		n := r.number()
		texts[i], all = all[:n], all[n:]
	}
	return texts, nil
}

// ReadPlaces reads which texts of a table of count a column has.
func ReadPlaces(places []int64, b []byte, count int) error {
	if err := (Format{Mode: Plain}).Read(places, b); err != nil {
		return err
	}
	for _, at := range places {
		if at >= int64(count) {
			return fmt.Errorf("text %d of %d", at, count)
		}
	}
	return nil
}
