package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSend_Webhook checks what a webhook gets: a signature that fits the body, a token, a template's text.
func TestSend_Webhook(t *testing.T) {
	address := freeAddress(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"secret": "k3y\n", "token": "tok\n"} {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	w, r := newWorld(t, "receivers:\n  - name: chat\n    group_wait: 1s\n    webhook:\n      url: http://"+address+"/x\n      secret_file: "+dir+"/secret\n      token_file: "+dir+"/token\n"+
		"      content_type: text/plain\n      template: \"{{.Status | printf \\\"%s\\\" | upper}} {{range .Alerts}}{{.Rule}} on {{.Host}}: {{.Description}}{{end}}\"\n", nil), newReceiver()
	r.listen(t, address)
	w.publish("oom", 7, nil)
	w.pass(time.Second)
	w.pass(time.Minute)
	if len(r.bodies) != 1 || r.bodies[0] != "FIRING oom on h: oom of 7" {
		t.Fatalf("bodies %q", r.bodies)
	}
	h := r.headers[0]
	at, given, _ := strings.Cut(strings.TrimPrefix(h.Get(HeaderSignature), "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte("k3y"))
	mac.Write([]byte(at + "." + r.bodies[0]))
	if want := hex.EncodeToString(mac.Sum(nil)); given != want {
		t.Errorf("signature %q, want %q", given, want)
	}
	if h.Get("Authorization") != "Bearer tok" || h.Get("Content-Type") != "text/plain" || len(h.Get(HeaderNotice)) != 32 {
		t.Errorf("headers %v", h)
	}
}

// TestSend_Alertmanager checks what Alertmanager gets: labels that stay the same from start to end, and times.
func TestSend_Alertmanager(t *testing.T) {
	address := freeAddress(t)
	w, r := newWorld(t, "receivers:\n  - name: am\n    group_wait: 1s\n    alertmanager: {url: \"http://"+address+"/\"}\n", nil), newReceiver()
	r.listen(t, address)
	w.publish("oom", 7, nil)
	began := w.clock
	w.pass(time.Second)
	w.pass(time.Minute)
	w.publish("oom", 7, w.ended)
	w.pass(time.Second)
	w.pass(time.Minute)
	if len(r.bodies) != 2 {
		t.Fatalf("bodies %q", r.bodies)
	}
	var first, last []alertmanagerAlert
	check(t, json.Unmarshal([]byte(r.bodies[0]), &first))
	check(t, json.Unmarshal([]byte(r.bodies[1]), &last))
	for name, want := range map[string]string{"alertname": "oom", "host": "h", "severity": "high", "job": "build-7", "pid": "1007"} {
		if first[0].Labels[name] != want || last[0].Labels[name] != want {
			t.Errorf("label %s: %q at the start, %q at the end, want %q", name, first[0].Labels[name], last[0].Labels[name], want)
		}
	}
	if !first[0].StartsAt.Equal(began) || !first[0].EndsAt.After(w.clock) || last[0].EndsAt.After(w.clock) {
		t.Errorf("times %v", append(first, last...))
	}
}

// TestSend_Command checks what a command gets, and what its exit codes mean.
func TestSend_Command(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	for exit, want := range map[string]struct{ delivered, dead uint64 }{"0": {1, 0}, "1": {0, 0}, "65": {0, 1}} {
		_ = os.Remove(out)
		w := newWorld(t, "receivers:\n  - name: mail\n    group_wait: 1s\n    command: [sh, -c, 'cat > "+out+"; echo $PROCTAPE_STATUS $PROCTAPE_NOTICE_ID >> "+out+"; exit "+exit+"']\n", nil)
		w.publish("oom", 7, nil)
		w.pass(time.Second)
		w.pass(time.Minute)
		o := w.notifier.state.Receivers["mail"]
		if o.Delivered != want.delivered || o.Dead != want.dead {
			t.Errorf("exit %s: %d delivered, %d given up", exit, o.Delivered, o.Dead)
		}
		text, err := os.ReadFile(out)
		if check(t, err); !strings.Contains(string(text), `"rule":"oom"`) || !strings.Contains(string(text), "firing ") {
			t.Errorf("exit %s: the command got %s", exit, text)
		}
	}
}

// TestConfig_Refuses checks that what is wrong in a file is said, with the receiver.
func TestConfig_Refuses(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	check(t, os.WriteFile(open, []byte("secret"), 0o644))
	check(t, os.Chmod(open, 0o644))
	for text, want := range map[string]string{
		"":                         "it names no receiver",
		"receivers: [{name: A b}]": "the name \"A b\" is none",
		"receivers: [{nmae: a}]":   "nmae",
		"receivers: [{name: a}]":   "receiver a: it needs one of webhook, alertmanager and command",
		"receivers: [{name: a, webhook: {url: 'ftp://x'}}]":                               "the URL is none of http or https",
		"receivers: [{name: a, webhook: {url: 'http://x', secret_file: '" + open + "'}}]": "open",
		"receivers: [{name: a, webhook: {url: 'http://x', template: '{{.Nope}}'}}]":       "the template does not work",
		"receivers: [{name: a, webhook: {url: 'http://x', template: '{{'}}]":              "template",
		"receivers: [{name: a, command: [/no/such/program]}]":                             "/no/such/program",
		"receivers: [{name: a, command: [sh], least: dire}]":                              "\"dire\" is no severity",
		"receivers: [{name: a, command: [sh], group_by: [mood]}]":                         "\"mood\" is none of rule, type, host, job, severity",
		"receivers: [{name: a, command: [sh], jobs: ['*a*b*c*d*e']}]":                     "has more than four *",
		"receivers: [{name: a, command: [sh]}, {name: a, command: [sh]}]":                 "two receivers have the name a",
		"receivers: [{name: a, command: [sh], give_up_after: 1s}]":                        "give_up_after at least 1m",
		"receivers: [{name: a, command: [sh], most_per_minute: -1}]":                      "most_per_minute must be 1 or more",
		"receivers: [{name: a, command: [sh], alertmanager: {url: 'http://x'}}]":          "it needs one of",
	} {
		file := filepath.Join(dir, "notify.yaml")
		check(t, os.WriteFile(file, []byte(text), 0o600))
		if _, err := ReadConfig(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"build-*", "build-7", true}, {"build-*", "build/7", false}, {"nightly*", "nightly/2026-11-23", true}, {"*", "", true}, {"", "", true}, {"", "a", false},
		{"a?c", "abc", true}, {"a?c", "ac", false}, {"*7", "build-7", true}, {"*7", "build-78", false}, {"a*b*c", "axxbyyc", true}, {"a*b*c", "axxcyyb", false},
	} {
		if got := fits(c.pattern, c.text); got != c.want {
			t.Errorf("%q of %q: %v, want %v", c.pattern, c.text, got, c.want)
		}
	}
}
