package scrub

import "strings"

// isPattern reports whether v is part of a regular expression or a replacement, or holds no letter and no digit.
func isPattern(v string) bool {
	for _, p := range [...]string{".*", ".+", "[^", `\S`, `\w`, `\d`, "(.", "([", `\(`, ")", "|"} {
		if strings.HasPrefix(v, p) {
			return true
		}
	}
	if strings.Contains(v, `\w`) {
		return true
	}
	for i := range len(v) {
		if isAlnum(v[i]) || v[i] >= 128 {
			return false
		}
	}
	return true
}

// isChosen reports whether v looks like a password that a person chose: Summer2031, dragon77!, or a long number.
func isChosen(v string) bool {
	if len(v) >= 8 && strings.Trim(v, "0123456789") == "" {
		return true
	}
	if len(v) < 6 || len(v) > 64 || strings.ContainsAny(v, " /:,=") {
		return false
	}
	letters := 0
	for letters < len(v) && (isLower(v[letters]) || isUpper(v[letters]) || v[letters] >= 128) {
		letters++
	}
	rest := strings.TrimRight(v[letters:], "!#?*$_~^")
	symbols := len(v) - letters - len(rest)
	capital := letters > 0 && (isUpper(v[0]) || v[0] >= 128)
	isNumber := strings.Trim(rest, "0123456789") == ""
	return letters >= 3 && isNumber && len(rest) >= 2 && (capital || symbols > 0) || letters > 0 && strings.ContainsAny(v[1:], "!?^~*") && hasMixedCase(v)
}

// isPhrase reports whether v is a dozen words, as wallets write their keys.
func isPhrase(v string) bool {
	words := 0
	for word := range strings.FieldsSeq(v) {
		if len(word) < 3 || len(word) > 8 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") != "" {
			return false
		}
		words++
	}
	return words >= 12
}

// isAlgorithm reports whether v names a way to hash, to encrypt or to authenticate.
func isAlgorithm(v string) bool {
	if len(v) > 16 {
		return false
	}
	switch lower := strings.ToLower(v); lower {
	case "password", "trust", "md5", "pam", "peer", "anonymous", "digest", "ntlm", "kerberos", "gssapi", "scram", "mutual", "tls", "mtls", "x509",
		"cert", "key", "ssl", "starttls", "plain", "login", "cram-md5", "system", "local", "file", "internal", "saml", "sso", "iam", "oidc",
		"api-key", "apikey", "spnego", "negotiate", "bcrypt", "scrypt", "argon2", "yescrypt", "blowfish", "des", "rsa", "ed25519", "ecdsa", "default":
		return true
	default:
		return strings.HasPrefix(lower, "sha") && strings.Trim(lower[3:], "0123456789-/") == "" || strings.HasPrefix(lower, "aes-") || strings.HasPrefix(lower, "scram-")
	}
}

// isDigest reports whether v is a hash of something public, as a certificate's pin is.
func isDigest(v string) bool {
	name, sum, ok := strings.Cut(v, ":")
	return ok && strings.HasPrefix(name, "sha") && isAlgorithm(name) && len(sum) >= 40
}

// isPlace reports whether v is a path without a root, of words in lower case, as in a store of secrets.
func isPlace(v string) bool {
	slash := strings.IndexByte(v, '/')
	if slash <= 0 || slash+1 == len(v) {
		return false
	}
	for i := range len(v) {
		if !isLower(v[i]) && strings.IndexByte("/-_.", v[i]) < 0 {
			return false
		}
	}
	return true
}

// isNumberPair reports whether v is a port mapping, a time, or a user and group id; a longer number is a password.
func isNumberPair(v string) bool {
	i := strings.LastIndexByte(v, ':')
	return i >= 0 && isNumbers(v) && len(v)-i <= 6
}
