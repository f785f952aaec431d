package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/proctape/proctape/query"
)

// write answers with a value as JSON. An answer has a tag made of its content, so that who has it already is told so.
func (s *Server) write(w http.ResponseWriter, r *http.Request, value any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(true) // names of processes stand in it: what a page does with it is not known
	if err := enc.Encode(value); err != nil {
		refuse(w, s.problemOf(r, err))
		return
	}
	answer := query.NullUnknown(body.Bytes())
	sum := sha256.Sum256(answer)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "private, no-cache") // kept, and asked about each time
	h.Set("Vary", "Accept-Encoding, Authorization")
	h.Set("ETag", tag)
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	send(w, r, answer)
}

// smallBody is what is not worth packing, in bytes.
const smallBody = 1024

// send writes a body, packed where the client takes that. A client that does not take it in time loses it.
func send(w http.ResponseWriter, r *http.Request, body []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime)) // a recorder in a test has none
	h := w.Header()
	if len(body) < smallBody || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method != http.MethodHead {
			_, _ = w.Write(body) // the client has gone
		}
		return
	}
	h.Set("Content-Encoding", "gzip")
	if r.Method == http.MethodHead {
		return
	}
	packed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is one
	_, _ = packed.Write(body)
	_ = packed.Close()
}
