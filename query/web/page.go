package web

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

// pageFiles are the page: what a browser is given, as it stands in the folder.
//
//go:embed page
var pageFiles embed.FS

// pageViews are the addresses of the page's views. What a view shows stands in the query: a name may hold anything, and no path does.
var pageViews = []string{"/", "/timeline", "/jobs", "/job", "/process", "/health"}

// pagePolicy is what a browser lets the page do: run and show what this server gives, ask this server, and nothing else.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pageKinds are the types of the page's files.
var pageKinds = map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

// pageFile is one file as it is sent.
type pageFile struct {
	body      []byte
	kind, tag string
}

// pageByPath are the files of the page by their paths.
var pageByPath = sync.OnceValue(func() map[string]pageFile {
	files := map[string]pageFile{}
	_ = fs.WalkDir(pageFiles, "page", func(name string, entry fs.DirEntry, err error) error { // what is embedded can be read
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := pageFiles.ReadFile(name)
		sum := sha256.Sum256(body)
		files["/"+name] = pageFile{body, pageKinds[path.Ext(name)], `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
		return err
	})
	index := files["/page/index.html"]
	for _, view := range pageViews {
		files[view] = index
	}
	return files
})

// isPage reports whether a path is a file of the page.
func isPage(path string) bool {
	_, ok := pageByPath()[path]
	return ok
}

// servePage answers with a file of the page, or with the problem that there is no such path.
func servePage(w http.ResponseWriter, r *http.Request) {
	file, ok := pageByPath()[r.URL.Path]
	if !ok {
		refuse(w, &Problem{Title: "no such path", Status: http.StatusNotFound, Hint: "GET " + apiPath + "openapi.json lists what there is"})
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Content-Type", file.kind)
	h.Set("Cache-Control", "no-cache") // kept, and asked about each time
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", file.tag)
	if strings.Contains(r.Header.Get("If-None-Match"), file.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	send(w, r, file.body)
}
