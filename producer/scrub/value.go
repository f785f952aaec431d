package scrub

import "strings"

// isHarmless reports whether a value reveals nothing by itself: a mask, a switch, or a reference to where
// the secret is kept.
func isHarmless(v string) bool {
	return v == "" || isMask(v) || isSwitch(v) || isReference(v)
}

// isMask reports whether v already stands for a hidden value.
func isMask(v string) bool {
	v = strings.TrimRight(v, ",;)\"'")
	return strings.Trim(v, "*") == "" || strings.Contains(v, mask) || len(v) >= 3 && strings.Trim(v, "xX") == ""
}

func isSwitch(v string) bool {
	if len(v) > 8 {
		return false
	}
	var lower [8]byte
	for i := range len(v) {
		lower[i] = toLower(v[i])
	}
	switch string(lower[:len(v)]) {
	case "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "auto", "ask", "prompt", "stdin", "-",
		"always", "never", "required", "optional", "enabled", "disabled", "default", "env",
		"debug", "info", "warn", "warning", "error", "trace", "verbose", "quiet", "keep", "drop", "redact", "mask", "hide", "show", "unset",
		"file", "simple", "basic", "bearer", "jwt", "token", "oauth", "oauth2", "ldap", "fetch", "public":
		return true
	}
	return false
}

// isReference reports whether v names a variable, a placeholder, or a place in a secret store.
func isReference(v string) bool {
	switch v[0] {
	case '$':
		return isVariable(v)
	case '<':
		return strings.HasSuffix(v, ">")
	case '{':
		return strings.HasPrefix(v, "{{") && strings.HasSuffix(v, "}}")
	case '%':
		return isVerbOfFormat(v) || len(v) > 2 && v[len(v)-1] == '%' && isUpperName(v[1:len(v)-1])
	case '`':
		return len(v) > 1 && v[len(v)-1] == '`'
	}
	for _, p := range [...]string{
		"file:", "env:", "fd:", "id=", "src=", "source=", "type=", "op://", "arn:", "secretref:", "projects/", "vault:", "ssm:", "keyring:",
	} {
		if strings.HasPrefix(v, p) {
			return true
		}
	}
	return strings.HasSuffix(v, ":latest")
}

// isVerbOfFormat reports whether v begins with a place to print at, like %s.
func isVerbOfFormat(v string) bool {
	return len(v) >= 2 && isLower(v[1]) && (len(v) == 2 || strings.IndexByte(" ,;\"'\\)", v[2]) >= 0)
}

// isVariable reports whether v is $NAME, ${NAME…} or $(command).
func isVariable(v string) bool {
	if len(v) < 2 {
		return true
	}
	last := v[len(v)-1]
	switch v[1] {
	case '{':
		return last == '}' || v == "${{"
	case '(':
		return true
	}
	return isUpperName(v[1:])
}

func isUpperName(v string) bool {
	for i := range len(v) {
		if c := v[i]; !isUpper(c) && !isDigit(c) && c != '_' {
			return false
		}
	}
	return v != ""
}

// isVariableName reports whether v is the name of an environment variable, of two words at least.
func isVariableName(v string) bool {
	return isUpperName(v) && strings.Contains(strings.Trim(v, "_"), "_") && !strings.ContainsAny(v, "0123456789")
}

// isSmallNumber reports whether v is a count, a port or a time rather than a secret.
func isSmallNumber(v string) bool {
	if len(v) == 0 || len(v) > 7 {
		return false
	}
	for i := range len(v) {
		if c := v[i]; !isDigit(c) && c != '.' && !(i == 0 && c == '-') && !(i > 0 && i == len(v)-1 && isLower(c)) {
			return false
		}
	}
	return isDigit(v[0]) || v[0] == '-' || v[0] == '.'
}

// isNumbers reports whether v is digits with colons or dots between, like ports, ids or a version.
func isNumbers(v string) bool { return v != "" && strings.Trim(v, "0123456789:.-/") == "" }

// isPath reports whether v names a file.
func isPath(v string) bool {
	if len(v) > 1 && (v[0] == '/' || v[0] == '.' || v[0] == '~') {
		rest := strings.TrimLeft(v, ".~")
		return strings.HasPrefix(rest, "/") && !hasOpaqueSegment(rest)
	}
	dot := strings.LastIndexByte(v, '.')
	if dot <= 0 {
		return false
	}
	switch strings.ToLower(v[dot+1:]) {
	case "pem", "key", "crt", "cer", "cert", "pub", "txt", "json", "yaml", "yml", "toml", "ini", "conf", "cfg", "env", "p12", "pfx", "jks",
		"keystore", "properties", "asc", "gpg", "sig", "der", "xml", "go", "py", "js", "ts", "rb", "java", "c", "h", "cc", "rs", "md", "sh", "log", "jar", "db":
		return !hasOpaqueSegment(v[:dot])
	}
	return false
}

// hasOpaqueSegment reports whether a part between slashes looks like a long random string.
func hasOpaqueSegment(path string) bool {
	for part := range strings.FieldsFuncSeq(path, func(r rune) bool { return strings.ContainsRune("/-_.", r) }) {
		if len(part) >= 16 && isRandom(part) && hasMixedCase(part) {
			return true
		}
	}
	return false
}

func hasMixedCase(v string) bool {
	var upper, lower bool
	for i := range len(v) {
		upper = upper || isUpper(v[i])
		lower = lower || isLower(v[i])
	}
	return upper && lower
}

// isRandom reports whether v looks like it was made by a generator: no words, no number, no path, no host.
func isRandom(v string) bool {
	if len(v) < 8 || isUUID(v) || isNumbers(v) || isKeyID(v) {
		return false
	}
	chunk := 0
	for i := 0; i <= len(v); i++ {
		if i < len(v) && !isSpace(v[i]) && strings.IndexByte("-_./:,@=()'\"", v[i]) < 0 {
			continue
		}
		if isRandomChunk(v[chunk:i]) {
			return true
		}
		chunk = i + 1
	}
	return false
}

// isRandomChunk reports whether letters, digits and cases change too often for a word or a name like gpt2.
func isRandomChunk(v string) bool {
	if len(v) < 4 || isCamelCase(v) {
		return false
	}
	changes, symbols, vowels := 0, 0, 0
	for i := range len(v) {
		if i > 0 && charKind(v[i]) != charKind(v[i-1]) {
			changes++
		}
		if charKind(v[i]) == kindSymbol {
			symbols++
		}
		if strings.IndexByte("aeiouyAEIOUY", v[i]) >= 0 {
			vowels++
		}
	}
	switch {
	case len(v) >= 16 && vowels*8 < len(v):
		return true
	case len(v) >= 24 && symbols == 0:
		return true
	}
	return changes >= 3 && changes*6 >= len(v)
}

// isCamelCase reports whether v is made of words of at least three letters, like SetPassword. The first may have two: NoSchedule.
func isCamelCase(v string) bool {
	letters := 3
	if len(v) >= 6 && isUpper(v[0]) && isLower(v[1]) && isUpper(v[2]) && isLower(v[3]) {
		v = v[2:]
	}
	for i := range len(v) {
		switch {
		case isLower(v[i]):
			letters++
		case isUpper(v[i]) && (i == 0 || letters >= 3):
			letters = 1
		default:
			return false
		}
	}
	return letters >= 3 && len(v) < 40 && hasMixedCase(v)
}

// The kinds of characters isRandomChunk tells apart.
const (
	kindSymbol = iota
	kindLower
	kindUpper
	kindDigit
)

func charKind(c byte) int {
	switch {
	case isLower(c):
		return kindLower
	case isUpper(c):
		return kindUpper
	case isDigit(c):
		return kindDigit
	}
	return kindSymbol
}

func isUUID(v string) bool {
	if len(v) != 36 {
		return false
	}
	for i := range len(v) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (v[i] == '-') || !dash && !isHex(v[i]) {
			return false
		}
	}
	return true
}

// isKeyID reports whether v is an OpenPGP key's id or fingerprint.
func isKeyID(v string) bool {
	v = strings.TrimPrefix(v, "0x")
	return (len(v) == 8 || len(v) == 16 || len(v) == 40) && strings.Trim(v, "0123456789ABCDEF") == ""
}

func isLower(c byte) bool  { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool  { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isAlnum(c byte) bool  { return isLower(c) || isUpper(c) || isDigit(c) }
func isHex(c byte) bool    { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }
func isBase64(c byte) bool { return isAlnum(c) || c == '+' || c == '/' || c == '=' }

func toLower(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// hasSpace reports whether s holds white space, so may be a script, a statement or a title.
func hasSpace(s string) bool {
	for i := range len(s) {
		if isSpace(s[i]) {
			return true
		}
	}
	return false
}

func isShellName(v string) bool {
	for i := range len(v) {
		if !isAlnum(v[i]) && v[i] != '_' {
			return false
		}
	}
	return true
}

// mask is shown in place of a secret.
const mask = "***"
