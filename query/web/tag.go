package web

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/proctape/proctape/query"
)

// build is what the program was built of: another may answer otherwise.
var build = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	text := info.Main.Version
	for _, s := range info.Settings {
		if strings.HasPrefix(s.Key, "vcs.") {
			text += s.Value
		}
	}
	return text
})

// over is the time that a question is about, if it has ended.
func (q *question) over() (of query.Range, ended bool) {
	of = query.Range{Since: q.Since, Until: q.Until}
	if q.at > 0 {
		of = query.Range{Since: max(q.earlier, 0), Until: q.at}
	}
	return of, of.Until > 0 && of.Until <= now(q)
}

// revision is what the tag of an answer ends with: it names the question and what its answer is made of. It is empty when what the answer is made of
// cannot be told without reading it.
func (s *Server) revision(r *http.Request, q *question) (string, error) {
	of, ended := q.over()
	if !ended {
		return "", nil
	}
	made, err := query.Revision(r.Context(), s.cfg.DB, of)
	if err != nil || made == "" {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %v %v %v %v %s %s", r.URL.Path, r.URL.Query().Encode(), q.Since, q.Until, q.at, q.earlier, made, build()))
	return "." + base64.RawURLEncoding.EncodeToString(sum[:9]), nil
}

// tagOfRevision is the tag that a client gives of an answer of a revision; empty when it gives none.
func tagOfRevision(r *http.Request, revision string) string {
	for tag := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if tag = strings.TrimSpace(tag); revision != "" && strings.HasSuffix(tag, revision+`"`) {
			return tag
		}
	}
	return ""
}
