package web_test

import (
	"io/fs"
	"net/http"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// pageSize is how many bytes the page may have in all.
const pageSize = 250_000

// pageFiles reads the files of the page, by the paths they are served at.
func pageFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS("page"), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path.Join("page", name))
		files["/page/"+name] = string(body)
		return err
	})
	check(t, err)
	return files
}

// TestPage: the page is there without a token, as it stands in its folder, and a browser is told what it may not do with it.
func TestPage(t *testing.T) {
	s := newWorld(t, 1).serve(0)
	total := 0
	get := func(path, tag string) (*http.Response, string) {
		r := s.request(path)
		r.Header.Del("Authorization")
		r.Header.Set("If-None-Match", tag)
		answer, body := s.do(r)
		return answer, string(body)
	}
	files := pageFiles(t)
	for _, view := range []string{"/", "/timeline", "/jobs", "/job", "/process", "/health"} {
		files[view] = files["/page/index.html"]
	}
	for path, want := range files {
		answer, body := get(path, "")
		h := answer.Header
		if answer.StatusCode != http.StatusOK || body != want {
			t.Errorf("%s: status %d, %d bytes of %d", path, answer.StatusCode, len(body), len(want))
		}
		policy := h.Get("Content-Security-Policy")
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';") ||
			!strings.Contains(policy, "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Content-Type") == "" {
			t.Errorf("%s: headers %v", path, h)
		}
		if again, _ := get(path, h.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: asked again, status %d", path, again.StatusCode)
		}
		if strings.HasPrefix(path, "/page/") {
			total += len(want)
		}
	}
	if total > pageSize {
		t.Errorf("the page has %d bytes, at most %d", total, pageSize)
	}
	for _, path := range []string{"/page/", "/page", "/page/js/none.js", "/page/js", "/timeline/", "/api/v1/hosts", "/page/../page.go"} {
		if answer, _ := get(path, ""); answer.StatusCode != http.StatusUnauthorized && answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s without a token: status %d", path, answer.StatusCode)
		}
	}
}

// markup is what makes markup, or code, of a text.
var markup = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|\beval\(|new Function|setTimeout\(["'` + "`" + `]|javascript:|https?://`)

// TestPage_MakesNoMarkup: no script makes markup of a text, and index.html holds no script and no style of its own.
func TestPage_MakesNoMarkup(t *testing.T) {
	imported := regexp.MustCompile(`(?:from|import)\s*\(?"(\./|\.\./)([^"]+)"`)
	files := pageFiles(t)
	for name, body := range files {
		if found := markup.FindString(strings.ReplaceAll(body, `xmlns="http://www.w3.org/2000/svg"`, "")); found != "" {
			t.Errorf("%s has %s", name, found)
		}
		for _, m := range imported.FindAllStringSubmatch(body, -1) {
			if at := path.Join(path.Dir(name), m[1]+m[2]); files[at] == "" {
				t.Errorf("%s imports %s, which is not there", name, at)
			}
		}
		if lines := strings.Count(body, "\n"); lines > 400 {
			t.Errorf("%s has %d lines", name, lines)
		}
	}
	if inline := regexp.MustCompile(`<script>|<style|\sstyle=|\son\w+=|//[a-z]`).FindString(files["/page/index.html"]); inline != "" {
		t.Errorf("index.html has %q", inline)
	}
	if !markup.MatchString("td.innerHTML = value") || !markup.MatchString(`import "https://elsewhere/x.js"`) {
		t.Error("the control is not caught")
	}
}
