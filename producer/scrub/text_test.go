package scrub

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"nightly build 7", "="}, {"build-7/linux-amd64:release", "="}, {"rotate the password of db1", "="}, {"", "="}, {"Übersicht №7", "="},
		{"running", "="}, {"failed: exit status 3", "="}, {"step 3/9 of token-service@v1.2.3", "="},
		{"out of memory: cgroup /user.slice/run-7.scope was at its limit; the process held 312 MiB", "="},
		{"deploy token=q7Zp9LmX2vKd", "deploy token=***"},
		{"deploy --password hunter2 now", "deploy --password *** now"},
		{"sync https://bob:hunter2@h/x", "sync https://bob:***@h/x"},
		{"build ghp_" + strings.Repeat("aB3", 12), "build ***"},
		{"pass\u200bword=hunter2", "pass\u200bword=***"},
		{"failed: Authorization: Bearer q7Zp9LmX2vKd", "failed: Authorization: Bearer ***"},
	} {
		if test.want == "=" {
			test.want = test.text
		}
		if got := Text(test.text); got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
}

// TestText_Again checks that a scrubbed text stays as it is: it is a job's identity, and passes several programs.
func TestText_Again(t *testing.T) {
	for i, tpl := range loadCorpus(t, corpusFile) {
		if !soak && i%4 != 0 {
			continue
		}
		l := tpl.line(newMaker(uint64(i)), i)
		once := Text(strings.Join(l.Args, " "))
		if twice := Text(once); twice != once {
			t.Errorf("%s:\n got %q\nthen %q", tpl.text, once, twice)
		}
	}
}
