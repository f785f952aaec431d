package scrub

import "bytes"

// idStrength judges a key that ends in "id": a session's is a secret, most others are names.
func idStrength(head []byte) strength {
	switch _, last := cutLast(head); string(last) {
	case "secret":
		return likely
	case "session", "sess":
		return vague
	}
	return public
}

// nounStrength judges a key by its last word and the words before it. It reports false when it knows no such word.
func nounStrength(head, last []byte) (strength, bool) {
	switch string(last) {
	case "word", "phrase", "code":
		return phraseStrength(head)
	case "pin", "otp", "puk":
		return code, true
	case "pat":
		return accessTokenStrength(head), true
	case "salt", "pepper", "hmac", "oauth", "passkey", "authkey":
		return likely, true
	case "community":
		return likely, true
	case "auth":
		return authStrength(head), true
	case "seed":
		return seed, true
	case "pass":
		return passStrength(head), true
	case "secret":
		return secretStrength(head), true
	case "password", "passwd", "passphrase", "passcode", "passwort", "pwd", "pw", "upw", "opw", "psk", "mnemonic", "passin", "passout", "masterauth", "setcookie":
		return certain, true
	case "apikey", "accesskey", "secretkey", "privatekey", "privkey", "masterkey", "accountkey", "sharedkey",
		"encryptionkey", "licensekey", "writekey", "signkey", "ingestkey", "credentials", "cred", "creds", "bearer", "cookie", "jwt", "authorization":
		return likely, true
	case "proxyauth", "rpcauth", "httpauth", "basicauth", "session", "sess", "sessionid", "phpsessid", "jsessionid", "sid", "signature", "sig", "sas", "tokens",
		"secrets", "passwords", "cookies", "nkey":
		return vague, true
	case "login":
		if string(head) == "sonar" {
			return likely, true
		}
		return public, true
	case "credential":
		return credentialStrength(head), true
	case "token":
		return tokenStrength(head), true
	case "key":
		return keyStrength(head), true
	}
	return gluedStrength(last)
}

// phraseStrength judges "…word", "…phrase" and "…code".
func phraseStrength(head []byte) (strength, bool) {
	switch _, before := cutLast(head); string(before) {
	case "pass":
		return certain, true
	case "seed", "recovery", "mnemonic":
		return likely, true
	}
	return public, false
}

// accessTokenStrength judges "…pat", a personal access token or a pattern.
func accessTokenStrength(head []byte) strength {
	switch _, before := cutLast(head); string(before) {
	case "github", "gh", "gitlab", "git", "azure", "devops", "ado", "jira", "docker", "dockerhub", "personal":
		return likely
	}
	return vague
}

// authStrength judges "…auth": alone and of a protocol it is a secret, unless the value names a method.
func authStrength(head []byte) strength {
	switch _, before := cutLast(head); string(before) {
	case "", "http", "basic", "proxy", "redis", "rpc", "stream":
		return access
	}
	return vague
}

// passStrength judges "…pass", which compilers have, too.
func passStrength(head []byte) strength {
	switch _, last := cutLast(head); string(last) {
	case "debug", "print", "run", "each", "per", "all", "first", "second", "render", "two", "single", "until":
		return public
	case "":
		return turn
	}
	return certain
}

// secretStrength judges "…secret": some options name one that is kept elsewhere.
func secretStrength(head []byte) strength {
	switch _, last := cutLast(head); string(last) {
	case "existing", "pull", "tls":
		return public
	}
	return likely
}

// credentialStrength judges "…credential": service managers load one by its name.
func credentialStrength(head []byte) strength {
	switch _, last := cutLast(head); string(last) {
	case "load", "import", "condition":
		return public
	}
	return likely
}

// tokenStrength judges "…token": language models, pagers and clusters have tokens that are no secrets.
func tokenStrength(head []byte) strength {
	switch _, last := cutLast(head); string(last) {
	case "pad", "eos", "bos", "unk", "mask", "cls", "sep", "stop", "start", "end", "special", "image", "audio", "video", "num", "max", "min",
		"per", "next", "page", "continuation", "first", "last", "prefix", "suffix", "sync", "resume", "placeholder", "by":
		return public
	case "key": // the token of a public key
		if bytes.HasSuffix(head, []byte("public_key")) {
			return public
		}
	case "cluster":
		return vague
	}
	return likely
}

// keyStrength judges "…key", which is a secret, a column, or an index.
func keyStrength(head []byte) strength {
	switch _, last := cutLast(head); string(last) {
	case "api", "secret", "private", "access", "account", "auth", "master", "shared", "encryption", "storage", "subscription", "admin", "license",
		"instrumentation", "signing", "hmac", "decryption", "preshared", "session", "cookie", "jwt", "wep", "nodekey", "streaming":
		return likely
	case "public", "pub", "sign", "ssh", "host", "cache", "partition", "sort", "primary", "foreign", "group", "routing", "hot", "gpg", "pgp", "index",
		"shard", "join", "map", "hash", "range", "object", "row", "color", "state", "kms", "label", "field", "dist", "node", "registry":
		return public
	}
	return vague
}

// gluedStrength judges a last word that has a secret's name at its end, like PGPASSWORD or authtoken.
func gluedStrength(last []byte) (strength, bool) {
	switch string(last) {
	case "bypass", "compass", "encompass", "trespass", "askpass", "lowpass", "highpass", "bandpass", "allpass", "keepass", "multipass",
		"renderpass", "rpass", "singlepass", "onepass", "twopass":
		return public, true
	}
	switch string(last) {
	case "rootpw", "adminpw", "dbpw", "bindpw", "userpw", "syspw", "mypw", "ldappw", "rootpwd":
		return certain, true
	}
	for _, noun := range [...]string{"password", "passwd", "passphrase", "pwd", "pass"} {
		if bytes.HasSuffix(last, []byte(noun)) {
			return certain, true
		}
	}
	for _, noun := range [...]string{"token", "secret", "apikey", "secretkey", "accesskey", "privatekey", "credentials"} {
		if bytes.HasSuffix(last, []byte(noun)) {
			return likely, true
		}
	}
	return public, false
}

// innerStrength judges a key whose last word is unknown by the words before it, like PASSWORD_ADMIN.
func innerStrength(head []byte) strength {
	for len(head) > 0 {
		var last []byte
		head, last = cutLast(head)
		if got, ok := foreignNouns[string(last)]; ok {
			return min(got, likely)
		}
		switch string(last) {
		case "password", "passwd", "passphrase":
			return likely
		case "token", "secret", "apikey", "credentials":
			return vague
		case "key":
			if keyStrength(head) == likely {
				return vague
			}
		}
	}
	return public
}
