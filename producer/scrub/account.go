package scrub

import "strings"

// accountMarker masks the passwords that stand beside the name of a user.
type accountMarker struct{ *command }

// maxAccount is how many words around an option are searched for a user's name.
const maxAccount = 16

// markShort masks the value of -p, -P, -w or -k at word i, if the command names a user or logs in and the value is no
// port, or if the value looks like a password.
func (c accountMarker) markShort(i int) {
	j := c.next(i)
	if j < 0 || c.isVariable(j) {
		return
	}
	v := c.at(c.words[j])
	if isNumberPair(":"+v) || strings.ContainsAny(v, "=/{ ") || isNumbers(v) && strings.ContainsAny(v, ":-") {
		return
	}
	switch {
	case c.hasOtherUse():
	case c.namesUser(i):
		c.markValue(likely, c.words[j].start, c.words[j].end)
	case c.tool == nil && hasMixedCase(v):
		c.markValue(vague, c.words[j].start, c.words[j].end)
	}
}

// namesUser reports whether an option near word i names a user, or the command logs in.
func (c accountMarker) namesUser(i int) bool {
	option := c.at(c.words[i])
	if option == "-k" {
		return false
	}
	for k := max(c.start, i-maxAccount); k < min(i+maxAccount, len(c.words)); k++ {
		if k > i && c.words[k].first {
			return false
		}
		switch text := c.at(c.words[k]); text {
		case "-u", "-n", "-l", "--user", "-user", "-username", "--login", "/u", "/user":
			if j := c.next(k); k != i && j >= 0 && (option == "-p" || option == "-w") {
				return true
			}
		case "-U", "--username":
			if j := c.next(k); k != i && j >= 0 {
				return true
			}
		case "-D":
			if j := c.next(k); j >= 0 && strings.Contains(c.at(c.words[j]), "=") {
				return true
			}
		case "login":
			if k > c.start && k < i {
				return true
			}
		}
	}
	return false
}

// markPositions masks the second of exactly two words behind "login" at word i.
func (c accountMarker) markPositions(i int) {
	if len(c.words) != i+3 || strings.HasPrefix(c.at(c.words[i+1]), "-") || strings.HasPrefix(c.at(c.words[i+2]), "-") {
		return
	}
	c.markPart(bare, c.words[i+2].start, c.words[i+2].end)
}

// hasOtherUse reports whether the program is known to mean something else by -p.
func (c accountMarker) hasOtherUse() bool {
	switch programName(c.at(c.words[c.start])) {
	case "ssh", "scp", "sftp", "docker", "podman", "nerdctl", "kubectl", "journalctl", "systemctl", "systemd-run", "systemd-analyze", "ps", "pgrep", "pkill",
		"lsof", "diff", "patch", "sudo", "tar", "cp", "mkdir", "install", "rsync", "perl", "ruby", "python", "python3", "node", "strace", "ltrace", "nmap",
		"cargo", "psql", "pg_dump", "pg_restore", "su", "id", "chown", "top", "htop", "git", "svn", "hg", "loginctl", "machinectl", "crontab", "who", "w",
		"make", "ninja", "mpirun", "mpiexec", "srun", "less", "grep", "find", "sort", "curl", "wget", "gcc", "clang", "bash", "sh", "zsh", "login", "renice",
		"taskset", "perf", "gdb", "mysql", "tail", "head", "cut", "awk", "sed", "xargs", "parallel", "watch", "screen", "tmux", "fdisk", "mount", "unzip",
		"getfacl", "setfacl", "quota", "edquota", "dig", "nc", "ncat", "socat", "iperf3", "iptables", "proxychains", "mosh", "autossh", "code", "npm", "go":
		return true
	}
	return false
}

// markAccount masks the password in word j when that reads user:SECRET, and no user and group.
func (c accountMarker) markAccount(j int) {
	v := c.at(c.words[j])
	i := strings.IndexByte(v, ':')
	if c.tool != nil || i <= 0 || i+1 == len(v) || isNumberPair(v) || strings.ContainsAny(v[:i], "/=") || v[i+1] == '/' || v[:i] == v[i+1:] {
		return
	}
	got := certain
	if c.at(c.words[j-1]) != "--login" { // may be a user and a group
		got = vague
	}
	c.markValue(got, c.words[j].start+i+1, c.words[j].end)
}

// minLogin is how long a password in user:SECRET@host is at least.
const minLogin = 6

// markLogin masks the password in a word that reads user:SECRET@host, without a scheme.
func (c *command) markLogin(w word) {
	text := c.at(w)
	for _, method := range [...]string{":pserver:", ":ext:"} {
		if rest, ok := strings.CutPrefix(text, method); ok {
			text, w.start = rest, w.start+len(method)
		}
	}
	colon, at := strings.IndexByte(text, ':'), strings.LastIndexByte(text, '@')
	if colon <= 0 || at-colon <= minLogin || strings.Contains(text, "://") || strings.ContainsAny(text[:at], " \t\n=\"'(),;{") {
		return
	}
	host, password := text[at+1:], text[colon+1:at]
	host = host[:endOr(strings.IndexAny(host, "/:?"), len(host))]
	if isVersion(host) || strings.HasPrefix(text[at+1:], "sha") || isNumberPair(":"+password) || strings.Contains(password, "//") {
		return
	}
	for i := range len(host) {
		if !isAlnum(host[i]) && host[i] != '.' && host[i] != '-' && host[i] != '_' {
			return
		}
	}
	user := text[:colon]
	switch user = user[strings.LastIndexByte(user, '=')+1:]; user {
	case "npm", "jsr", "mailto", "acct", "sip", "sips", "urn", "workspace", "link", "file", "xmpp", "git", "http", "https", "ssh", "sftp", "scp", "rsync", "jdbc", "docker", "oci", "gem":
		return
	}
	if strings.Contains(user, ".") && strings.Contains(password, "/") { // host:path, or a registry's image
		return
	}
	c.markValue(certain, w.start+colon+1, w.start+at)
}

// isVersion reports whether v starts with a digit or "v" and a digit, and is no address.
func isVersion(v string) bool {
	v = strings.TrimPrefix(v, "v")
	return v == "latest" || v != "" && isDigit(v[0]) && strings.Count(v, ".") != 3
}
