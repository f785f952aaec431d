package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
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
	weak, tag := tagOf(answer)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "private, no-cache") // kept, and asked about each time
	h.Set("Vary", "Accept-Encoding, Authorization")
	h.Set("ETag", weak+tag)
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	send(w, r, answer)
}

// provenUntil is where coverage says up to when the database is proven: its last key, which no text can look like.
var provenUntil = regexp.MustCompile(`,"proven_until":[0-9.e+]+}`)

// tagOf is a tag of all that an answer says. Up to when it is proven is not part of it, but that it is: who has an answer of before the last
// check of all pages has one that is still right. Such a tag is weak.
func tagOf(answer []byte) (weak, tag string) {
	if said := provenUntil.ReplaceAllLiteral(answer, []byte(`,"proven_until":0}`)); !bytes.Equal(said, answer) {
		weak, answer = "W/", said
	}
	sum := sha256.Sum256(answer)
	return weak, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
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
