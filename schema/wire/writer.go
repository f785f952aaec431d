// Package wire writes and reads the structure of messages in MessagePack: nil, booleans, integers, strings, byte strings
// and arrays. github.com/vmihailenco/msgpack/v5 knows the forms; this package adds what a reader of untrusted bytes needs:
// every length is checked against a limit and the bytes that are left before anything is made of it, and what is passed
// over is passed over without recursion that a message controls (docs/adr/0014-columns.md).
package wire

import "github.com/vmihailenco/msgpack/v5"

// Writer writes one message after another. It keeps its memory. A Writer is for one goroutine.
type Writer struct {
	b   buffer
	enc *msgpack.Encoder
}

// buffer is what the library writes to. It cannot fail.
type buffer []byte

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// WriteByte implements io.ByteWriter.
func (b *buffer) WriteByte(c byte) error {
	*b = append(*b, c)
	return nil
}

// NewWriter returns a writer that has written nothing.
func NewWriter() *Writer {
	w := new(Writer)
	w.enc = msgpack.NewEncoder(&w.b)
	return w
}

// Begin starts a message behind b.
func (w *Writer) Begin(b []byte) { w.b = b }

// Take returns what was written, with what Begin was given before it, and lets go of it.
func (w *Writer) Take() []byte {
	b := w.b
	w.b = nil
	return b
}

// Len is how many bytes there are, those that Begin was given included.
func (w *Writer) Len() int { return len(w.b) }

// The errors of the encoder are those of the buffer, which has none.

// Nil writes nil.
func (w *Writer) Nil() { _ = w.enc.EncodeNil() }

// Bool writes a boolean.
func (w *Writer) Bool(v bool) { _ = w.enc.EncodeBool(v) }

// Uint writes an integer in its shortest form.
func (w *Writer) Uint(v uint64) { _ = w.enc.EncodeUint(v) }

// Int writes an integer in its shortest form.
func (w *Writer) Int(v int64) { _ = w.enc.EncodeInt(v) }

// String writes a string.
func (w *Writer) String(v string) { _ = w.enc.EncodeString(v) }

// Bytes writes a byte string.
func (w *Writer) Bytes(v []byte) {
	_ = w.enc.EncodeBytesLen(len(v))
	w.b = append(w.b, v...)
}

// Array begins an array of n elements. They follow.
func (w *Writer) Array(n int) { _ = w.enc.EncodeArrayLen(n) }
