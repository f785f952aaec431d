package mcp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// longest is how many bytes a message may have.
const longest = 1 << 20

// wellFormed passes on the lines that are messages of JSON-RPC and not too long. Of any other it says so, and goes on: one bad message costs
// itself only. A list of messages is none: the protocol took them out in its version of 2025-06-18.
type wellFormed struct {
	io.Closer
	in     *bufio.Reader
	refuse func(reason string)
	line   []byte // what is not passed on yet of the one that was read
}

func newWellFormed(in io.ReadCloser, refuse func(reason string)) *wellFormed {
	return &wellFormed{Closer: in, in: bufio.NewReaderSize(in, longest), refuse: refuse}
}

// Read implements [io.Reader].
func (w *wellFormed) Read(p []byte) (int, error) {
	for len(w.line) == 0 {
		line, err := w.in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if err = w.skipLine(); err == nil || errors.Is(err, io.EOF) {
				w.refuse(fmt.Sprintf("a message may have %d bytes", longest))
			}
		case len(bytes.TrimSpace(line)) == 0:
		default:
			if _, wrong := jsonrpc.DecodeMessage(line); wrong != nil {
				w.refuse(wrong.Error())
				break
			}
			w.line = line // of the buffer, which is not read into before all of it is passed on
		}
		if err != nil && len(w.line) == 0 {
			return 0, err
		}
	}
	n := copy(p, w.line)
	w.line = w.line[n:]
	return n, nil
}

// skipLine reads up to the end of a line.
func (w *wellFormed) skipLine() error {
	for {
		if _, err := w.in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// whole is a writer that several write to, each a message at a time.
type whole struct {
	io.WriteCloser
	mu sync.Mutex
}

// Write implements [io.Writer].
func (w *whole) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.WriteCloser.Write(p)
}

// refuse writes what JSON-RPC answers to a message that cannot be read.
func (w *whole) refuse(reason string) {
	const parseError = -32700
	body, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": nil, "error": map[string]any{"code": parseError, "message": "the message cannot be read: " + reason}})
	_, _ = w.Write(append(body, '\n')) // the next answer fails too
}
