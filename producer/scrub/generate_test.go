package scrub

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
	letter = lower + upper + digits
)

// A maker invents values for the placeholders of templates, always the same ones for the same seed.
type maker struct{ *rand.Rand }

func newMaker(seed uint64) maker { return maker{rand.New(rand.NewPCG(seed, 2))} }

func (m maker) of(n int, chars string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = chars[m.IntN(len(chars))]
	}
	return string(b)
}

func (m maker) pick(values ...string) string { return values[m.IntN(len(values))] }

// word is a password that a person makes up.
func (m maker) word() string {
	return m.pick("hunter", "Summer", "letmein", "changeit", "Winter", "dragon", "s3cr3t", "P@ssw0rd", "qwerty", "Monkey") + m.of(3, digits) + m.pick("", "!", "#x")
}

// base64 is n random bytes in base64.
func (m maker) base64(n int) string {
	return base64.StdEncoding.EncodeToString([]byte(m.of(n, letter)))
}

// password is a password of any style, without white space.
func (m maker) password() string {
	switch m.IntN(6) {
	case 0:
		return m.word()
	case 1:
		return m.of(12, letter+"!@#%^*_+.?")
	case 2:
		return "Z" + m.of(24, letter+"-_")
	case 3:
		return m.base64(18)
	case 4:
		return m.of(32, digits+"abcdef")
	default:
		return m.of(20, letter)
	}
}

// safe is a password that needs no quoting in a URL, a script or JSON.
func (m maker) safe() string {
	if m.IntN(3) == 0 {
		return m.pick("hunter", "Summer", "letmein", "changeit", "dragon", "qwerty") + m.of(4, digits)
	}
	return m.of(10+m.IntN(14), letter)
}

func (m maker) token() string {
	return m.pick(m.of(40, letter), m.of(32, digits+"abcdef"), "T"+m.of(43, letter+"-_"), m.of(22, letter))
}

func (m maker) jwt() string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"HS256","typ":"JWT"}`) + "." + part(`{"sub":"`+m.of(8, digits)+`"}`) + "." + m.of(43, letter+"-_")
}

func (m maker) pem(newline string) string {
	lines := []string{"-----BEGIN RSA " + "PRIVATE KEY-----", m.of(64, letter+"+/"), m.of(64, letter+"+/"), "-----END RSA " + "PRIVATE KEY-----"}
	return strings.Join(lines, newline)
}

func (m maker) uuid() string {
	const hex = digits + "abcdef"
	return m.of(8, hex) + "-" + m.of(4, hex) + "-" + m.of(4, hex) + "-" + m.of(4, hex) + "-" + m.of(12, hex)
}

// secrets makes the values of placeholders that must not be published.
var secrets = map[string]func(m maker) string{
	"pw":   maker.password,
	"upw":  maker.safe,
	"spw":  maker.safe,
	"stok": func(m maker) string { return m.of(32, letter) },
	"utok": func(m maker) string { return m.of(36, letter+"-_") },
	"tok":  maker.token,
	"word": maker.word,
	"phrase": func(m maker) string {
		return "correct horse " + m.pick("battery", "staple", "river") + " " + m.of(4, lower)
	},
	"b32":        func(m maker) string { return m.of(32, upper+"234567") },
	"pin":        func(m maker) string { return m.of(6, digits) },
	"php":        func(m maker) string { return m.safe() },
	"b64":        func(m maker) string { return m.base64(32) },
	"sig":        func(m maker) string { return m.of(40, letter) + "%3D" },
	"hex":        func(m maker) string { return m.of(32, digits+"abcdef") },
	"hex34":      func(m maker) string { return m.of(34, digits+"abcdef") },
	"hex40":      func(m maker) string { return m.of(40, digits+"abcdef") },
	"hex64":      func(m maker) string { return m.of(64, digits+"abcdef") },
	"alnum24":    func(m maker) string { return m.of(24, letter) },
	"alnum54":    func(m maker) string { return m.of(54, lower+digits) },
	"uuidsecret": maker.uuid,
	"kubetok":    func(m maker) string { return m.of(6, lower+digits) + "." + m.of(16, lower+digits) },
	"lic": func(m maker) string {
		return m.of(5, upper+digits) + "-" + m.of(5, upper+digits) + "-" + m.of(5, upper+digits)
	},
	"basic":     func(m maker) string { return base64.StdEncoding.EncodeToString([]byte("bob:" + m.safe())) },
	"jwt":       maker.jwt,
	"pem":       func(m maker) string { return m.pem("\n") },
	"pemline":   func(m maker) string { return m.pem(`\n`) },
	"akia":      func(m maker) string { return m.pick("AKIA", "ASIA") + m.of(16, upper+digits) },
	"awssecret": func(m maker) string { return m.of(40, letter+"+") },
	"awspair":   func(m maker) string { return "AKIA" + m.of(16, upper+digits) + ":" + m.of(40, letter+"+/") },
	"ghp":       func(m maker) string { return "ghp_" + m.of(36, letter) },
	"gho":       func(m maker) string { return "gho_" + m.of(36, letter) },
	"ghs":       func(m maker) string { return "ghs_" + m.of(36, letter) },
	"ghpat":     func(m maker) string { return "github_pat_" + m.of(22, letter) + "_" + m.of(59, letter) },
	"glpat":     func(m maker) string { return "glpat-" + m.of(20, letter+"-_") },
	"glrt":      func(m maker) string { return "glrt-" + m.of(20, letter+"-_") },
	"slack": func(m maker) string {
		return m.pick("xoxb-", "xoxp-", "xoxs-") + m.of(12, digits) + "-" + m.of(24, letter)
	},
	"stripe":   func(m maker) string { return m.pick("sk_live_", "rk_live_", "sk_test_") + m.of(24, letter) },
	"aiza":     func(m maker) string { return "AIza" + m.of(35, letter+"-_") },
	"google":   func(m maker) string { return "AIza" + m.of(35, letter+"-_") },
	"openai":   func(m maker) string { return m.pick("sk-", "sk-proj-") + m.of(48, letter) },
	"npm":      func(m maker) string { return "npm_" + m.of(36, letter) },
	"pypi":     func(m maker) string { return "pypi-AgEIcHlwaS5vcmc" + m.of(80, letter+"-_") },
	"rubygems": func(m maker) string { return "rubygems_" + m.of(48, digits+"abcdef") },
	"hf":       func(m maker) string { return "hf_" + m.of(34, letter) },
	"sendgrid": func(m maker) string { return "SG." + m.of(22, letter) + "." + m.of(43, letter) },
	"tskey":    func(m maker) string { return "tskey-auth-" + m.of(17, letter) + "-" + m.of(32, letter) },
	"newrelic": func(m maker) string { return "NRAK-" + m.of(27, upper+digits) },
	"vault":    func(m maker) string { return "hvs." + m.of(90, letter+"_") },
	"nkey":     func(m maker) string { return "S" + m.pick("U", "A", "O") + m.of(56, upper+"234567") },
	"age":      func(m maker) string { return "AGE-SECRET-KEY-1" + m.of(58, upper+"023456789") },
	"crypt":    func(m maker) string { return "$6$" + m.of(8, letter) + "$" + m.of(86, letter+"./") },
}

// plain makes the values of placeholders that may be published.
var plain = map[string]func(m maker) string{
	"user": func(m maker) string {
		return m.pick("bob", "alice", "svc-deploy", "app_user", "postgres", "admin", "ci", "root")
	},
	"host": func(m maker) string {
		return m.pick("db1.example.com", "10.20.0.7", "api.example.org", "cache-02.internal", "node7")
	},
	"db":       func(m maker) string { return m.pick("shop", "orders", "wiki", "app_prod", "metrics") },
	"path":     func(m maker) string { return m.pick("/etc/app/auth.txt", "/run/secrets/x", "/srv/app/conf.d/a") },
	"n":        func(m maker) string { return fmt.Sprint(2 + m.IntN(97)) },
	"name":     func(m maker) string { return m.pick("alpha", "release", "nightly", "production", "staging") },
	"port":     func(m maker) string { return fmt.Sprint(1024 + m.IntN(60000)) },
	"sha":      func(m maker) string { return m.of(40, digits+"abcdef") },
	"hex12":    func(m maker) string { return m.of(12, digits+"abcdef") },
	"hex16":    func(m maker) string { return m.of(16, digits+"ABCDEF") },
	"hex32":    func(m maker) string { return m.of(32, digits+"abcdef") },
	"hex64pub": func(m maker) string { return m.of(64, digits+"abcdef") },
	"b64pub":   func(m maker) string { return m.base64(64) },
	"alnum6":   func(m maker) string { return m.of(6, letter) },
	"uuid":     maker.uuid,
	"nix":      func(m maker) string { return m.of(32, "0123456789abcdfghijklmnpqrsvwxyz") },
	"goid":     func(m maker) string { return m.of(20, letter+"_") + "/" + m.of(20, letter+"_") },
}

var plainNames, secretNames = slices.Sorted(maps.Keys(plain)), slices.Sorted(maps.Keys(secrets))

// publicHashes are placeholders that are secret in secret.txt, and file names or digests in benign.txt.
var publicHashes = []string{"hex40", "hex64", "alnum24"}

// fill replaces the placeholders of one template and returns the secrets it put in.
func fill(m maker, args []string, benign bool) labelled {
	var l labelled
	for _, arg := range args {
		if !strings.Contains(arg, "{") {
			l.Args = append(l.Args, arg)
			continue
		}
		for _, name := range plainNames {
			for strings.Contains(arg, "{"+name+"}") {
				arg = strings.Replace(arg, "{"+name+"}", plain[name](m), 1)
			}
		}
		for _, name := range secretNames {
			for strings.Contains(arg, "{"+name+"}") {
				value := secrets[name](m)
				arg = strings.Replace(arg, "{"+name+"}", value, 1)
				if !benign || !slices.Contains(publicHashes, name) {
					l.Secrets = append(l.Secrets, value)
				}
			}
		}
		l.Args = append(l.Args, arg)
	}
	return l
}

// templateFiles hold the templates; every one is filled twice.
var templateFiles = []string{"testdata/secret.txt", "testdata/benign.txt"}

// generate fills every template once.
func generate(file string, seed uint64) ([]labelled, error) {
	data, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		return nil, err
	}
	var all []labelled
	for i, template := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		if !strings.HasPrefix(template, "#") {
			all = append(all, fill(newMaker(uint64(i)*100+seed), shellWords(template), strings.Contains(file, "benign")))
		}
	}
	return all, nil
}

// writeLabelled fills the templates and writes what comes out, each row once.
func writeLabelled(w io.Writer) error {
	fmt.Fprintln(w, "# Invented command lines: argv, then the secrets in it, both as JSON. "+splitter+" is removed on loading. Written by go test -update.")
	seen := make(map[string]bool)
	for _, file := range templateFiles {
		for seed := range uint64(2) {
			all, err := generate(file, seed)
			if err != nil {
				return err
			}
			for _, l := range all {
				if row := formatLabelled(l); !seen[row] {
					seen[row] = true
					fmt.Fprintln(w, row)
				}
			}
		}
	}
	return nil
}

// formatLabelled renders one row, with a splitter inside every long secret.
func formatLabelled(l labelled) string {
	apart := func(values []string) string {
		values = append([]string{}, values...)
		for i := range values {
			for _, secret := range l.Secrets {
				if len(secret) >= 12 {
					values[i] = strings.ReplaceAll(values[i], secret, secret[:3]+splitter+secret[3:])
				}
			}
		}
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(values)
		return strings.TrimSpace(b.String())
	}
	return apart(l.Args) + "\t" + apart(l.Secrets)
}

func TestTemplates_HaveNoUnknownPlaceholder(t *testing.T) {
	for _, l := range loadLabelled(t) {
		for name := range secrets {
			if strings.Contains(strings.Join(l.Args, " "), "{"+name+"}") {
				t.Errorf("placeholder %s left in %q", name, l.Args)
			}
		}
	}
}
