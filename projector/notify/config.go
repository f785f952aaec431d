// Package notify tells people and programs of anomalies: messages of the log go in, notices go out to receivers, each once. What is to be told waits in a
// file beside the database until a receiver has taken it, so that neither a restart nor a receiver that is down loses a notice.
package notify

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/filecheck"
)

// Config says who is told of what. It is read from YAML.
type Config struct {
	Receivers []Receiver `yaml:"receivers"`
}

// Receiver is somebody who is told, in one of three ways.
type Receiver struct {
	Name         string        `yaml:"name"`
	Webhook      *Webhook      `yaml:"webhook"`
	Alertmanager *Alertmanager `yaml:"alertmanager"`
	Command      []string      `yaml:"command"` // gets the notice on stdin

	Least schema.Severity `yaml:"least"` // the least severity that is told; default low
	Rules []string        `yaml:"rules"` // patterns of names of rules, or of types of anomalies; empty for all
	Hosts []string        `yaml:"hosts"` // patterns: * stands for any letters, ? for one; empty for all
	Jobs  []string        `yaml:"jobs"`  // patterns; empty for all, and for what is of no job

	GroupBy     []string      `yaml:"group_by"`        // what a notice is of together: rule, type, host, job, severity; default rule and host
	GroupWait   time.Duration `yaml:"group_wait"`      // how long a notice waits for others of its group; default 10 s
	MostAMinute int           `yaml:"most_per_minute"` // notices; default 20
	GiveUpAfter time.Duration `yaml:"give_up_after"`   // that a receiver has not taken a notice; default 24 h
	Resolved    *bool         `yaml:"resolved"`        // the end of an anomaly is told too; default true
	Timeout     time.Duration `yaml:"timeout"`         // of one try; default 10 s

	template *template.Template
	secret   []byte
	token    string
}

// Webhook is a URL to which notices are posted.
type Webhook struct {
	URL         string `yaml:"url"`
	URLFile     string `yaml:"url_file"`     // has the URL, where that is a secret
	SecretFile  string `yaml:"secret_file"`  // has the key with which notices are signed
	TokenFile   string `yaml:"token_file"`   // has a token for the Authorization header
	Template    string `yaml:"template"`     // of the body, as text/template has it; default JSON
	ContentType string `yaml:"content_type"` // default application/json
}

// Alertmanager is a server of Prometheus' alerts, version 2 of its API.
type Alertmanager struct {
	URL       string `yaml:"url"`
	TokenFile string `yaml:"token_file"`
}

// The labels by which notices can be grouped.
var groupLabels = []string{"rule", "type", "host", "job", "severity"}

const (
	largestConfig = 1 << 20
	largestSecret = 64 << 10
)

var receiverName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// ReadConfig reads a file, and the secrets that it names. What is wrong is named with its receiver.
func ReadConfig(file string) (*Config, error) {
	b, err := filecheck.ReadOurs(file, largestConfig)
	if err != nil {
		return nil, err
	}
	c := new(Config)
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(c.Receivers) == 0 {
		return nil, fmt.Errorf("%s: it names no receiver", file)
	}
	seen := map[string]bool{}
	for i := range c.Receivers {
		r := &c.Receivers[i]
		switch {
		case !receiverName.MatchString(r.Name):
			return nil, fmt.Errorf("%s: receiver %d: the name %q is none: want small letters, digits, - and _", file, i+1, r.Name)
		case seen[r.Name]:
			return nil, fmt.Errorf("%s: two receivers have the name %s", file, r.Name)
		}
		seen[r.Name] = true
		if err := r.prepare(); err != nil {
			return nil, fmt.Errorf("%s: receiver %s: %w", file, r.Name, err)
		}
	}
	return c, nil
}

// prepare sets what is not said, and checks the rest.
func (r *Receiver) prepare() error {
	r.Least = cmp.Or(r.Least, schema.SeverityLow)
	r.GroupWait, r.GiveUpAfter, r.Timeout = cmp.Or(r.GroupWait, 10*time.Second), cmp.Or(r.GiveUpAfter, 24*time.Hour), cmp.Or(r.Timeout, 10*time.Second)
	r.MostAMinute = cmp.Or(r.MostAMinute, 20)
	if r.GroupBy == nil {
		r.GroupBy = []string{"rule", "host"}
	}
	switch {
	case r.Least.Rank() < 0:
		return fmt.Errorf("least: %q is no severity: low, medium, high or critical", r.Least)
	case r.GroupWait < 0 || r.GiveUpAfter < time.Minute || r.Timeout < 100*time.Millisecond || r.Timeout > time.Minute:
		return errors.New("group_wait must not be negative, give_up_after at least 1m, timeout from 100ms to 1m")
	case r.MostAMinute < 1:
		return errors.New("most_per_minute must be 1 or more")
	}
	for _, label := range r.GroupBy {
		if !slices.Contains(groupLabels, label) {
			return fmt.Errorf("group_by: %q is none of %s", label, strings.Join(groupLabels, ", "))
		}
	}
	for _, pattern := range slices.Concat(r.Hosts, r.Jobs, r.Rules) {
		if err := CheckPattern(pattern); err != nil {
			return err
		}
	}
	return r.prepareWay()
}

// prepareWay checks how the receiver is told, and reads the secrets for it.
func (r *Receiver) prepareWay() (err error) {
	ways := 0
	for _, is := range []bool{r.Webhook != nil, r.Alertmanager != nil, len(r.Command) > 0} {
		if is {
			ways++
		}
	}
	switch {
	case ways != 1:
		return errors.New("it needs one of webhook, alertmanager and command")
	case r.Webhook != nil:
		return r.prepareWebhook()
	case r.Alertmanager != nil:
		if err := checkURL(r.Alertmanager.URL); err != nil {
			return err
		}
		r.token, err = readToken(r.Alertmanager.TokenFile)
		return err
	}
	_, err = exec.LookPath(r.Command[0])
	return err
}

func (r *Receiver) prepareWebhook() (err error) {
	w := r.Webhook
	if (w.URL == "") == (w.URLFile == "") {
		return errors.New("webhook: it needs url or url_file")
	}
	if w.URLFile != "" {
		if w.URL, err = readToken(w.URLFile); err != nil {
			return err
		}
	}
	if err := checkURL(w.URL); err != nil {
		return err
	}
	if w.SecretFile != "" {
		secret, err := readToken(w.SecretFile)
		if err != nil {
			return err
		}
		r.secret = []byte(secret)
	}
	if r.token, err = readToken(w.TokenFile); err != nil {
		return err
	}
	if w.ContentType = cmp.Or(w.ContentType, "application/json"); strings.ContainsAny(w.ContentType, "\r\n") {
		return errors.New("content_type has more than one line")
	}
	if w.Template == "" {
		return nil
	}
	if r.template, err = template.New(r.Name).Funcs(templateFuncs).Option("missingkey=error").Parse(w.Template); err != nil {
		return err
	}
	if err := r.template.Execute(io.Discard, exampleNotice(r.Name)); err != nil {
		return fmt.Errorf("the template does not work: %w", err)
	}
	return nil
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("the URL is none of http or https") // it may be a secret
	}
	return nil
}

// readToken reads a secret of one line; none for no file.
func readToken(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := filecheck.ReadSecret(file, largestSecret)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return "", fmt.Errorf("%s does not have one line", file)
	}
	return text, nil
}

// takes reports whether a receiver is told of an anomaly.
func (r *Receiver) takes(a *Alert) bool {
	return a.Severity.Rank() >= r.Least.Rank() &&
		(matches(r.Rules, a.Rule) || matches(r.Rules, a.Type)) && matches(r.Hosts, a.Host) && matches(r.Jobs, a.Job)
}

// CheckPattern refuses a pattern that would take long to try.
func CheckPattern(pattern string) error {
	if len(pattern) > 256 || strings.Count(pattern, "*") > 4 {
		return fmt.Errorf("the pattern %q is too long, or has more than four *", pattern)
	}
	return nil
}

// matches reports whether one of some patterns fits; no pattern fits all.
func matches(patterns []string, text string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return fits(p, text) })
}

// fits reports whether a pattern fits a text: * stands for any letters, ? for one.
func fits(pattern, text string) bool {
	for i, c := range []byte(pattern) {
		switch {
		case c == '*':
			for at := range len(text) + 1 {
				if fits(pattern[i+1:], text[at:]) {
					return true
				}
			}
			return false
		case text == "", c != '?' && c != text[0]:
			return false
		}
		text = text[1:]
	}
	return text == ""
}
