package scrub

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// maxKey is how much of a key is looked at, counted from its end.
const maxKey = 64

// strength judges a key: an option without its dashes, a variable, a property, a header, a parameter.
func (s *Scrubber) strength(key string) strength {
	if len(key) > maxKey {
		key = key[len(key)-maxKey:]
	}
	var buf [2 * maxKey]byte
	name := normalize(buf[:0], key)
	if s.isExtra(name) {
		return certain
	}
	if isQuestion(name) {
		return public
	}
	head, last := cutLast(name)
	for len(last) == 0 || isNeutral(last) {
		if len(head) == 0 {
			return public
		}
		head, last = cutLast(head)
	}
	switch string(last) {
	case "id", "ids":
		return idStrength(head)
	case "uri", "url", "dsn", "addr", "address", "broker", "proxy", "connect", "connection":
		return located
	}
	if isQualifier(last) {
		return public
	}
	if got, ok := nounStrength(head, last); ok {
		return got
	}
	if got, ok := foreignStrength(head, last); ok {
		return got
	}
	return innerStrength(head)
}

// isExtra reports whether name contains one of the user's words.
func (s *Scrubber) isExtra(name []byte) bool {
	if len(s.extra) == 0 {
		return false
	}
	plain := squash(string(name))
	for _, w := range s.extra {
		if strings.Contains(plain, w) {
			return true
		}
	}
	return false
}

// squash lower-cases s and leaves out what separates words.
func squash(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_. ", r) {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// normalize appends key to dst in lower case, with "_" between its words: apiKey, API-KEY and api.key are api_key.
func normalize(dst []byte, key string) []byte {
	for i := range len(key) {
		switch c := key[i]; {
		case isUpper(c):
			if i > 0 && startsCamelWord(key, i) {
				dst = append(dst, '_')
			}
			dst = append(dst, toLower(c))
		case isAlnum(c) || c >= utf8.RuneSelf:
			dst = append(dst, c)
		default:
			dst = append(dst, '_')
		}
	}
	return dst
}

func startsCamelWord(key string, i int) bool {
	prev := key[i-1]
	return isLower(prev) || isDigit(prev) || isUpper(prev) && i+1 < len(key) && isLower(key[i+1])
}

// isQuestion reports whether name tells a program what to do about a secret, as --ask-pass and --no-password do.
func isQuestion(name []byte) bool {
	first, _, ok := bytes.Cut(name, []byte("_"))
	if !ok {
		return false
	}
	switch string(first) {
	case "no", "without", "skip", "ask", "prompt", "disable", "enable", "require", "show", "hide", "allow", "generate", "force", "check", "stdin":
		return true
	}
	return false
}

// isNeutral reports whether a last word says nothing about what the key holds: password_old is a password.
func isNeutral(word []byte) bool {
	switch string(word) {
	case "prod", "production", "dev", "development", "staging", "stage", "test", "live", "old", "new", "current", "previous", "value", "val",
		"raw", "plain", "plaintext", "base", "b", "hex", "hash", "string", "str", "main", "primary", "secondary", "backup", "literal", "v":
		return true
	}
	return false
}

// isQualifier reports whether a last word turns a secret's name into that of something about it: password_file is a path.
func isQualifier(word []byte) bool {
	switch string(word) {
	case "file", "files", "filename", "path", "paths", "dir", "directory", "folder", "count", "counts", "counter", "type", "types", "name",
		"names", "namespace", "length", "len", "size", "sizes", "min", "max", "limit", "limits", "budget", "policy", "endpoint",
		"host", "hostname", "port", "method", "methods", "mode", "modes", "timeout", "ttl", "expiry", "expires", "expire", "expiration",
		"age", "duration", "interval", "period", "header", "headers", "prompt", "stdin", "env", "envvar", "fd", "cmd", "command", "commands",
		"script", "provider", "providers", "plugin", "plugins", "store", "helper", "manager", "backend", "driver", "class", "algorithm",
		"algorithms", "alg", "algo", "format", "version", "enabled", "enable", "disabled", "disable", "required", "require", "allowed",
		"optional", "check", "checks", "validation", "validate", "verify", "verification", "strategy", "region", "scope", "scopes",
		"audience", "issuer", "user", "users", "username", "domain", "realm", "rotation", "rotate", "service", "server", "servers", "group",
		"groups", "role", "roles", "config", "conf", "configuration", "options", "opts", "lifetime", "cache", "log", "logs", "level",
		"debug", "support", "info", "metadata", "ref", "refs", "reference", "selector", "label", "labels", "template", "pattern", "regex",
		"sock", "socket", "bus", "authentication", "authenticator", "complexity", "entropy", "history", "retries", "attempts",
		"index", "order", "position", "offset", "column", "field", "separator", "delimiter", "bits", "usage", "source", "target",
		"title", "description", "jar", "affinity", "samesite", "cert", "certs", "certificate", "chain", "bundle", "rate", "model", "loss",
		"vocab", "dropout", "embedding", "embeddings", "encryption", "reset", "only", "encoding", "spec", "style", "engine", "library", "module", "storage":
		return true
	}
	for _, suffix := range [...]string{"file", "path"} {
		if bytes.HasSuffix(word, []byte(suffix)) {
			return true
		}
	}
	return false
}
