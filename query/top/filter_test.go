package top

import (
	"errors"
	"testing"

	"github.com/proctape/proctape/query"
)

func pointer[T any](v T) *T { return &v }

var testNames = names{user: func(uid int64) string { return map[int64]string{0: "root", 1000: "ci"}[uid] }}

func TestFilter(t *testing.T) {
	row := &Row{Host: "dev", Process: &query.Process{PID: 42, Command: "ld.lld -o app", UID: pointer(int64(1000)), JobID: pointer("build-7"), Sheet: pointer(int64(3)),
		Cgroup: pointer("/ci/build"), Age: 9, Measured: query.Measured{State: "R", RSS: 2048, CPUPercent: 51}}}
	row.Unknown = []string{"open_fds"}
	for text, want := range map[string]bool{
		"": true, "lld": true, "gcc": false, "lld app": true, "lld gcc": false, "gcc|lld": true, "-gcc": true, "-lld": false, `"-o app"`: true, `"app lld"`: false,
		"user=ci": true, "user!=ci": false, "user=root|ci": true, "user=root": false, "-user=root": true,
		"rss>1G": true, "rss>2G": false, "rss>=2G": true, "rss<3000": true, "cpu>50": true, "cpu>50%": true, "cpu<=50": false, "age<10s": true, "age<0.1m": false,
		"pid=42": true, "pid=1|42": true, "pid!=42": false, "step=3": true, "job=build-7": true, "job=build-7·3": true, "job=build": false, "job~^build": true,
		"cgroup=/ci": true, "cgroup=/c": false, "~^ld": true, "~^lld": false, "command~o.app": true, "state=R": true, "host=dev": true,
		"fds>0": false, "fds<1": false, "-fds>0": true, // what is not known is picked by no comparison
		"swap>0": false,
	} {
		f, err := ParseFilter(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := f.picks(row, &testNames); got != want {
			t.Errorf("%q picks: %v, want %v", text, got, want)
		}
	}
	for text, at := range map[string]int{"nonesuch=1": 0, "a rss>x": 2, `lld "open`: 4, "~(": 0, "user>3": 0, "cpu=": 0, "rss>1Z": 0, "user~[": 0, "cpu>NaN": 0} {
		_, err := ParseFilter(text)
		var f *FilterError
		if !errors.As(err, &f) || f.At != at || f.What == "" {
			t.Errorf("%q: %v, want an error at %d", text, err, at)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{"", "a|b -c", `"x y" user=z`, "rss>1G", "~(", `"`, "-", "=", "-~x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if filter, err := ParseFilter(s); err == nil {
			filter.picks(&Row{Process: new(query.Process)}, &testNames)
		}
	})
}
