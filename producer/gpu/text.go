package gpu

import "bytes"

// lines is a writer that hands over what is written to it line by line, whatever the pieces it comes in.
type lines struct {
	take func(line string)
	part []byte // of the line that has not ended
}

// Write never fails.
func (l *lines) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		piece, after, ended := bytes.Cut(rest, []byte{'\n'})
		l.part = append(l.part, piece[:min(len(piece), maxLine+1-len(l.part))]...)
		if ended {
			l.take(string(l.part))
			l.part = l.part[:0]
		}
		rest = after
	}
	return len(p), nil
}

// head is a writer that keeps the first bytes of what is written to it.
type head struct {
	max  int
	data []byte
}

// Write never fails.
func (h *head) Write(p []byte) (int, error) {
	h.data = append(h.data, p[:min(len(p), h.max-len(h.data))]...)
	return len(p), nil
}
