package jobs

import (
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/proctape/proctape/schema"
)

func TestParseRule_Refuses(t *testing.T) {
	for _, s := range []string{
		"", "cgroup", "cgroup:", "cgroup:/a", "cgroup:=j", "cgroup:/a=", "/a=j", ":/a=j", "group:/a=j", "Command:/a=j",
		"cgroup:/=j", "cgroup:///=j", "command:.=j", "command:/a/[=j", "command:/a/[b=j", `command:/a\=j`,
		"cgroup:/a=" + strings.Repeat("j", schema.MaxName+1), "cgroup:/a=\xff", "cgroup:/a=j\x00",
	} {
		if r, err := ParseRule(s); err == nil {
			t.Errorf("%q: got %+v, want an error", s, r)
		} else if !strings.HasPrefix(err.Error(), "rule \"") {
			t.Errorf("%q: got error %q, want one that begins with the rule", s, err)
		}
	}
}

func TestRule_Match(t *testing.T) {
	tests := []struct{ rule, path, want string }{
		{"cgroup:/w/a=j", "/w/a", "j"},
		{"cgroup:/w/a=j", "/w/a/", "j"},
		{"cgroup:/w/a=j", "/w/a/b/c", "j"},
		{"cgroup:/w/a=j", "/w/ab", ""},
		{"cgroup:/w/a=j", "/w/ab/a", ""},
		{"cgroup:/w/a=j", "/w", ""},
		{"cgroup:/w/a=j", "/", ""},
		{"cgroup:/w/a=j", "", ""},
		{"cgroup:/w/a=j", "/x/w/a", ""},
		{"cgroup:/w/a=j", "w/a", ""},
		{"cgroup:/w/a=j", "//w//./a/x", "j"},
		{"cgroup:/w/a=j", "/w/a/../b", ""},
		{"cgroup:/w/a=j", "/w/b/../a", "j"},
		{"cgroup:/w/a=j", "/W/A", ""},
		{"cgroup:w/a=j", "/x/w/a/y", "j"},
		{"cgroup:w/a=j", "/xw/a", ""},
		{"cgroup:w/a=j", "/w/x/a", ""},
		{"cgroup:w/a=j", "/w/w/a", "j"},
		{"cgroup:/jobs/*=$1", "/jobs/n7/x", "n7"},
		{"cgroup:/jobs/*=$1", "/jobs", ""},
		{"cgroup:/jobs/b-*/s?=$1.$2", "/jobs/b-7/s2", "b-7.s2"},
		{"cgroup:/jobs/b-*/s?=$1.$2", "/jobs/b-7/s22", ""},
		{"cgroup:/jobs/[ab]/x=$1", "/jobs/b/x", "b"},
		{"cgroup:/jobs/[ab]/x=$1", "/jobs/c/x", ""},
		{"cgroup:/*/*=$2$1$3", "/a/b", "ba$3"},
		{"cgroup:/*/*=$1-$2", "/$2/b", "$2-b"}, // what is filled in is not filled again
		{"cgroup:/*/*/*/*/*/*/*/*/*/*=$10", "/a/b/c/d/e/f/g/h/i/k", "k"},
		{"cgroup:/a=b=j", "/a=b/c", "j"},
		{`cgroup:/a\*=j`, "/a*", "j"},
		{`cgroup:/a\*=j`, "/ab", ""},
		{"cgroup:/jobs/*=$1", "/jobs/\xff", "\uFFFD"},
		{"cgroup:/jobs/*=$1", "/jobs/" + strings.Repeat("n", schema.MaxName+1), strings.Repeat("n", schema.MaxName)},
	}
	for _, tt := range tests {
		r := rule(t, tt.rule)
		if got := r.match(tt.path); got != tt.want {
			t.Errorf("%s on %q: got %q, want %q", tt.rule, tt.path, got, tt.want)
		}
	}
}

func TestMatchRules_FirstOfItsKind(t *testing.T) {
	rules := []Rule{rule(t, "command:/a=c"), rule(t, "cgroup:/a/b=g1"), rule(t, "cgroup:/a=g2"), rule(t, "cgroup:/a/b/c=g3")}
	for path, want := range map[string]string{"/a/b/c": "g1", "/a/c": "g2", "/b": "", "": ""} {
		if got := matchRules(rules, cgroupRule, path); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}

func TestMatchCommand(t *testing.T) {
	rules := []Rule{rule(t, "cgroup:/w/g=g"), rule(t, "command:/w/a=a"), rule(t, "command:work/*=$1")}
	tests := map[string]struct {
		args string
		want string
	}{
		"the program":                      {"/w/a/prog", "a"},
		"an argument":                      {"cc -c /w/a/x.c", "a"},
		"of an option":                     {"cc --out=/w/a/x.o", "a"},
		"a file with an equals sign":       {"cc /w/a/x=y", "a"},
		"a folder with an equals sign":     {"cc /w/x=/w/a", ""},
		"of an option with two":            {"cc --map=/w/a=/b", ""},
		"a folder that begins like it":     {"cc /w/ab/x.c", ""},
		"a folder below another":           {"cc /x/w/a/x.c", ""},
		"a path that is relative":          {"cc w/a/x.c", ""},
		"anywhere in a path":               {"cc ../work/seven/x.c", "seven"},
		"a word that is no path":           {"work seven", ""},
		"a rule for a cgroup is no rule":   {"cc /w/g", ""},
		"the first argument that has one":  {"cc work/b/x /w/a/x", "b"},
		"nothing":                          {"", ""},
		"an address":                       {"curl https://host/w/a", ""},
		"an address, anywhere in the path": {"curl https://host/work/a", "a"},
	}
	for name, tt := range tests {
		if got := matchCommand(rules, strings.Fields(tt.args)); got != tt.want {
			t.Errorf("%s: %q: got %q, want %q", name, tt.args, got, tt.want)
		}
	}
}

// FuzzRule checks of every rule that it matches by whole elements alone: putting something behind or before an element
// that is no wildcard ends the match, and putting further elements behind does not.
func FuzzRule(f *testing.F) {
	for _, s := range []string{"cgroup:/w/a=j", "command:w/*=$1", "cgroup:/[a-c]/?x=$2.$1", `command:/a\*/b=j`, "x", "cgroup:="} {
		f.Add(s, "/w/a/b")
		f.Add(s, "a/x/../cx")
	}
	f.Fuzz(func(t *testing.T, s, p string) {
		r, err := ParseRule(s)
		if err != nil {
			return
		}
		if name := r.match(p); len(name) > schema.MaxName || !utf8.ValidString(name) || strings.Contains(name, "\x00") {
			t.Errorf("%q on %q: job %q cannot be stored", s, p, name)
		}
		plain := !strings.ContainsAny(s, `*?[\`) && !slices.Contains(r.pattern, "..")
		if !plain {
			return
		}
		own := "/" + path.Join(r.pattern...)
		if r.match(own) == "" || r.match(own+"/more") == "" {
			t.Errorf("%q does not match %q, or not below it", s, own)
		}
		if r.match(own+"x") != "" {
			t.Errorf("%q matches %q", s, own+"x")
		}
		if (r.match("/x"+own) != "") == r.anchored {
			t.Errorf("%q, anchored %t, on %q: got %q", s, r.anchored, "/x"+own, r.match("/x"+own))
		}
	})
}
