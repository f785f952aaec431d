package schema

import (
	"fmt"
	"strings"
)

// SubjectPrefix begins every subject. The host and the kind follow: proctape.v1.<host>.<kind>. The host comes first, so
// that one permission covers everything that a host may publish. Pids and jobs never go into a subject, because each
// subject is an index entry on the server.
const SubjectPrefix = "proctape.v1."

// Subject returns the subject of a host's messages of a kind.
func Subject(host string, kind Kind) string { return SubjectPrefix + host + "." + string(kind) }

// ParseSubject takes a subject apart. It does not check that the kind exists.
func ParseSubject(subject string) (host string, kind Kind, err error) {
	rest, ok := strings.CutPrefix(subject, SubjectPrefix)
	if ok {
		var k string
		if host, k, ok = strings.Cut(rest, "."); ok && ValidHost(host) && k != "" {
			return host, Kind(k), nil
		}
	}
	return "", "", fmt.Errorf("subject %.200q is not %s<host>.<kind>", subject, SubjectPrefix)
}

// ValidHost reports whether s can be a host's token in a subject: 1 to 64 of A-Z a-z 0-9 _ -.
func ValidHost(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if !tokenByte(s[i]) {
			return false
		}
	}
	return true
}

// HostToken returns a host token for a machine's name. Bytes that a token may not have become '-'.
func HostToken(name string) string {
	b := []byte(name[:min(len(name), 64)])
	for i, c := range b {
		if !tokenByte(c) {
			b[i] = '-'
		}
	}
	if len(b) == 0 || string(b) == Fleet {
		return "localhost"
	}
	return string(b)
}

func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// Fleet stands in the place of a host for what belongs to no host and so to all: what a conductor says of a job of the fleet.
// Messages of no other kind may have it, and no host may have this name.
const Fleet = "_"
