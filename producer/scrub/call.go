package scrub

import "strings"

// lastArgument stands for the last text among the arguments of a call.
const lastArgument = -1

// secretArguments are functions of many languages and which of their arguments, counted from 1, is secret when it is a
// text. A name with a dot is looked for first.
var secretArguments = map[string]int{
	"password": 1, "old_password": 1, "convertto-securestring": 1, "basic_auth": 2, "basicauth": 2, "auth": 2, "authenticate": 2, "login": 2,
	"auth=": 2, "connect": 3, "mysql_connect": 3, "mysql_pconnect": 3, "mysqli_connect": 3, "mysqli": 3, "pdo": 3, "dbconnect": 3, "real_connect": 3, "ftp": 3,
	"ftp_login": 3, "ldap_bind": 3, "imap_open": 3, "create_user": lastArgument, "create_superuser": lastArgument, "set_password": lastArgument,
	"setpassword": lastArgument, "changeuserpassword": 2, "aes_encrypt": 2, "aes_decrypt": 2, "pgp_sym_encrypt": 2, "pgp_sym_decrypt": 2,
	"hmac.new": 1, "createhmac": 2, "hash_hmac": 3, "jwt.encode": 2, "jwt.sign": 2, "jwt.verify": 2, "jwt.decode": 2, "pscredential": 2,
	"password_hash": 1, "password_verify": 1, "crypt": 1, "bcrypt.hash": 1, "hashpw": 1, "hashsync": 1, "generate_password_hash": 1, "make_password": 1,
	"md5": hashed, "md5_hex": hashed, "sha1": hashed, "sha1_hex": hashed, "sha256": hashed, "sha512": hashed, "sha256_hex": hashed, "hexdigest": hashed,
}

// hashed marks the functions that hash their first argument: only a long one is taken for a password.
const (
	hashed     = 100
	minHashed  = 6
	maxCall    = 512 // how much of a call's arguments is looked at
	maxCallee  = 48
	callQuotes = "\"'`"
)

// A caller masks what is secret among the arguments of calls.
type caller struct{ *assigner }

// mark masks the secret argument of the call whose parenthesis is at i, or whose first text starts at i behind a space.
// It returns where the argument ends, or 0.
func (c caller) mark(i int) int {
	open := i
	if c.text[i] != '(' {
		if i == c.start || c.text[i-1] != ' ' {
			return 0
		}
		open = i - 1
	} else if i+1 == c.end {
		return 0
	}
	nth, ok := c.callee(open)
	if !ok {
		return 0
	}
	least := 1
	if nth == hashed {
		nth, least = 1, minHashed
	}
	start, end := c.argument(open+1, nth)
	if start >= 0 && end-start >= least && c.markValue(certain, start, end) {
		return end
	}
	return 0
}

// callee returns which argument of the function whose name ends at i is secret.
func (c caller) callee(i int) (nth int, ok bool) {
	start := i
	for start > c.start && i-start < maxCallee && (isKeyByte(c.text[start-1]) || c.text[start-1] == '=') {
		start--
	}
	var buf [maxCallee]byte
	for k := range i - start {
		buf[k] = toLower(c.text[start+k])
	}
	name := buf[:i-start]
	base := len(name)
	for dots := 0; base > 0; base-- {
		if name[base-1] == '.' {
			if dots++; dots == 2 {
				break
			}
		}
	}
	if nth, ok = secretArguments[string(name[base:])]; ok {
		return nth, true
	}
	for k := len(name); k > base; k-- {
		if name[k-1] == '.' || name[k-1] == '=' && k < len(name) {
			base = k
			break
		}
	}
	nth, ok = secretArguments[string(name[base:])]
	return nth, ok
}

// argument returns where the nth argument of a call whose arguments start at i lies, without its quotes, or -1 if it is no text.
func (c caller) argument(i, nth int) (start, end int) {
	limit := min(c.end, i+maxCall)
	depth, n, fresh := 0, 1, true
	start = -1
	for ; i < limit; i++ {
		switch b := c.text[i]; {
		case strings.IndexByte(callQuotes, b) >= 0 || b == '\\' && i+1 < limit && strings.IndexByte(callQuotes, c.text[i+1]) >= 0:
			width := 1
			if b == '\\' {
				width = 2
			}
			closing := strings.Index(c.text[i+width:limit], c.text[i:i+width])
			if closing < 0 {
				return start, end
			}
			if depth == 0 && fresh && (n == nth || nth == lastArgument) {
				if start, end = i+width, i+width+closing; n == nth {
					return start, end
				}
			}
			i += 2*width + closing - 1
			fresh = false
		case b == '(' || b == '[' || b == '{':
			depth++
		case b == ')' || b == ']' || b == '}':
			if depth--; depth < 0 {
				return start, end
			}
		case b == ';':
			return start, end
		case b == ',' && depth == 0:
			n++
			fresh = true
		}
	}
	return start, end
}
