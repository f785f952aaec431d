package doctor

import (
	"fmt"
	"time"
)

// judgeLog judges the keys and what the log's server allows.
func judgeLog(f Facts) (checks []Check) {
	bad := 0
	for _, k := range f.Keys {
		if k.Error == "" {
			continue
		}
		bad++
		checks = append(checks, Check{Part: "log", Name: "key", State: Lacks, Detail: k.Error, Grant: k.Mend})
	}
	if n := len(f.Keys) - bad; n > 0 {
		checks = append(checks, Check{Part: "log", Name: "keys", State: There, Detail: fmt.Sprintf("%d, which nobody else can read", n)})
	}
	s := f.Server
	switch {
	case !s.Asked && f.Folder.Path == "":
		return checks
	case !s.Asked:
		return append(checks, Check{Part: "log", Name: "server", State: Note, Detail: "no recorder runs here, and --server names none"})
	case s.Error != "":
		return append(checks, Check{Part: "log", Name: "server", State: Lacks, Detail: s.Error, Grant: s.Grant})
	}
	checks = append(checks, Check{Part: "log", Name: "server", State: There,
		Detail: fmt.Sprintf("%s answers in %s, nats-server %s", s.Name, s.RoundTrip.Round(10*time.Microsecond), s.Version)})
	return append(checks, judgeKey(s)...)
}

// judgeKey judges what a key may do. A key that may either read or publish is of use.
func judgeKey(s Server) []Check {
	read := Check{Part: "log", Name: "reading", State: There, Detail: "the log can be read"}
	publish := Check{Part: "log", Name: "publishing", State: There, Detail: "the key may publish as " + s.Host}
	useless := s.Read != "" && (s.Host == "" || s.Publish != "")
	if s.Read != "" {
		read.State, read.Detail = Note, s.Read
	}
	if s.Publish != "" {
		publish.State, publish.Detail = Note, s.Publish
	}
	if useless {
		read.State = Lacks
		read.Grant = "name a key that may with --creds, and the host whose key it is with --host"
	}
	if s.Host == "" {
		return []Check{read}
	}
	return []Check{read, publish}
}
