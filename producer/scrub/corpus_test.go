package scrub

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// corpusFile and harmlessFile hold templates by class, in shell quoting. {s} and {z} stand for a secret of every
// kind in turn, {z} without what a shell reads; {u200b} is that character, {nl} a new line; the other names are
// those of the generator. Each set was written before anybody knew what the scrubber makes of it.
const (
	corpusFile   = "testdata/corpus.txt"
	harmlessFile = "testdata/corpus_harmless.txt"

	// undecidedFile holds the templates of the corpus that no rule can decide, under the reason why.
	undecidedFile = "testdata/undecided.txt"
)

// A template is one line of a corpus.
type template struct{ class, text string }

func loadCorpus(t testing.TB, file string) []template {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []template
	class := ""
	for _, text := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		if name, ok := strings.CutPrefix(text, "## "); ok {
			class = name
			continue
		}
		all = append(all, template{class, text})
	}
	return all
}

// secretKinds are the ways in which people choose secrets.
var secretKinds = []func(m maker) string{
	func(m maker) string { return m.of(12+m.IntN(20), letter) },
	func(m maker) string { return m.of(32+8*m.IntN(4), digits+"abcdef") },
	func(m maker) string {
		return m.pick("Autumn", "Tiger", "Admin", "football", "Berlin", "shadow") + m.of(2+m.IntN(3), digits) + m.pick("", "!", "#", "_")
	},
	func(m maker) string {
		return m.pick("donttellanyone", "mellonmellon", "ichliebedich", "abracadabra", "jeszczenie", "changemenow", "superuser") + m.pick("", "k", "oo")
	},
	func(m maker) string {
		words := []string{"copper", "window", "giraffe", "planet", "marble", "candle", "otter"}
		return words[m.IntN(7)] + "-" + words[m.IntN(7)] + "-" + words[m.IntN(7)] + "-" + words[m.IntN(7)]
	},
	func(m maker) string { return "1" + m.of(7+m.IntN(2), digits) },
	func(m maker) string {
		return m.pick("Qw@", "K!s", "N*x", "b%R") + m.of(6, letter) + m.pick("?", "!", "^", "~", "*")
	},
	func(m maker) string {
		return m.pick("тайна", "秘密の", "ñandúes", "çağlayan", "βάθος") + m.of(4, digits)
	},
}

var (
	placeholder = regexp.MustCompile(`\{([a-z0-9]+)\}`)
	unsafe      = regexp.MustCompile(`[^\pL\pN_@%+=:,./!-]`)
)

// corpusSecrets are placeholders of the corpus that the generator has not.
var corpusSecrets = map[string]func(m maker) string{
	"phrase12": func(m maker) string {
		words := make([]string, 12)
		for i := range words {
			words[i] = m.pick("abandon", "velvet", "tunnel", "orbit", "lemon", "zebra", "magic", "ability")
		}
		return strings.Join(words, " ")
	},
}

// line fills a template with a secret of this kind.
func (tpl template) line(m maker, kind int) labelled {
	secret := secretKinds[kind%len(secretKinds)](m)
	var l labelled
	fillIn := func(place string) string {
		name := place[1 : len(place)-1]
		switch {
		case name == "s":
			l.Secrets = append(l.Secrets, secret)
			return secret
		case name == "z":
			l.Secrets = append(l.Secrets, unsafe.ReplaceAllString(secret, "x"))
			return l.Secrets[len(l.Secrets)-1]
		case name == "nl":
			return "\n"
		case plain[name] != nil:
			return plain[name](m)
		case secrets[name] != nil:
			l.Secrets = append(l.Secrets, secrets[name](m))
			return l.Secrets[len(l.Secrets)-1]
		case corpusSecrets[name] != nil:
			l.Secrets = append(l.Secrets, corpusSecrets[name](m))
			return l.Secrets[len(l.Secrets)-1]
		}
		if code, err := strconv.ParseInt(strings.TrimPrefix(name, "u"), 16, 32); err == nil && len(name) == 5 {
			return string(rune(code))
		}
		return place
	}
	for _, word := range splitWords(tpl.text) {
		l.Args = append(l.Args, placeholder.ReplaceAllStringFunc(word, fillIn))
	}
	return l
}

// splitWords splits text as a shell does, without expansions.
func splitWords(text string) []string {
	var words []string
	var word strings.Builder
	open, quote := false, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(text) && (quote == 0 || strings.IndexByte(`"\$`, text[i+1]) >= 0):
			i++
			word.WriteByte(text[i])
			open = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, open = c, true
		case quote == 0 && c == ' ':
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words
}

// A classScore counts lines and templates of one class.
type classScore struct {
	templates, whole int // templates, and those of which no line went wrong
	lines, good      int
}

// share is the share of the lines that were published as they should be.
func (s classScore) share() float64 { return float64(s.good) / float64(s.lines) }

func (s *classScore) add(lines, good int) {
	s.templates++
	s.lines += lines
	s.good += good
	if lines == good {
		s.whole++
	}
}

// judge reports whether a line was published as it should be: no secret in it, or nothing changed.
func judge(command func(args []string) string, l labelled) (got string, ok bool) {
	got = command(l.Args)
	if len(l.Secrets) == 0 {
		return got, got == strings.Join(l.Args, " ")
	}
	return got, !slices.ContainsFunc(l.Secrets, func(secret string) bool { return strings.Contains(got, secret) })
}

// rateCorpus fills every template with a secret of every kind and counts by class.
func rateCorpus(templates []template, command func(args []string) string, miss func(template, labelled, string)) (map[string]classScore, classScore) {
	classes, all := map[string]classScore{}, classScore{}
	for i, tpl := range templates {
		good := 0
		for kind := range secretKinds {
			l := tpl.line(newMaker(uint64(i*len(secretKinds)+kind)), kind)
			got, ok := judge(command, l)
			if ok {
				good++
			} else if miss != nil {
				miss(tpl, l, got)
			}
		}
		class := classes[tpl.class]
		class.add(len(secretKinds), good)
		classes[tpl.class] = class
		all.add(len(secretKinds), good)
	}
	return classes, all
}
