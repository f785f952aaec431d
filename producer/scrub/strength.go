package scrub

import (
	"bytes"
	"strings"
)

// A strength says how surely the value of a key is a secret.
type strength int

const (
	public  strength = iota // not a secret
	located                 // an address: a secret only in front of its "@"
	seed                    // a secret if the value is a phrase of many words, or long and random
	vague                   // a secret if the value looks random, or like a password that a person chose
	access                  // like likely, but no method and no name with a slash
	likely                  // a secret unless the value is a number, a path, a switch or a reference
	code                    // a secret unless the value is a number of less than four digits, a digest, a path, a switch or a reference
	turn                    // like certain, but no number of less than four digits: pass 2 of 3
	certain                 // a secret unless the value is a path, a switch or a reference
)

// isSecret reports whether v, the value of a key of this strength, has to be masked.
func (s strength) isSecret(v string) bool {
	if s <= located || isHarmless(v) || s < turn && strings.Contains(v, "://") {
		return false
	}
	if isPath(v) || isPattern(v) {
		return false
	}
	switch s {
	case certain:
		return len(v) >= 2 || !isSmallNumber(v)
	case code:
		return (len(v) >= 4 || !isSmallNumber(v)) && !isNumberPair(v) && !isDigest(v)
	case turn:
		count := strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(",:;)}] ", r) })
		return certain.isSecret(v) && (len(count) == 0 || len(count[0]) >= 4 || !isNumbers(count[0]))
	case likely:
		return len(v) > 1 && !isSmallNumber(v) && !isVariableName(v) && !isAlgorithm(v) && !isPlace(v)
	case access:
		return likely.isSecret(v) && (strings.IndexByte(v, '/') < 0 || isRandom(v))
	case seed:
		return isPhrase(v) || isRandom(v) && hasMixedCase(v)
	default: // the members of an object have names of their own
		return (v[0] != '{' || !strings.Contains(v, `":`)) && (isRandom(v) || isChosen(v) || isUserAndPassword(v) && !isAlgorithm(v))
	}
}

// isUserAndPassword reports whether v reads user:password.
func isUserAndPassword(v string) bool {
	user, password, ok := strings.Cut(v, ":")
	return ok && user != "" && password != "" && !isNumberPair(":"+password) && password[0] != '/' && !isCamelCase(password) && !strings.ContainsAny(user, "/=") && !strings.Contains(password, "=")
}

// cutLast splits the last word off a normalized name and drops the digits at its end.
func cutLast(name []byte) (head, last []byte) {
	end := len(name)
	for end > 0 && isDigit(name[end-1]) {
		end--
	}
	i := bytes.LastIndexByte(name[:end], '_')
	if i < 0 {
		return nil, name[:end]
	}
	return name[:i], name[i+1 : end]
}
