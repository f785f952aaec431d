package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/proctape/proctape/schema/filecheck"
)

// settings are the flags that all commands share.
type settings struct {
	data      string
	db        string   // the first of dbs, or the one of the data folder
	dbs       []string // that --db names
	server    string
	url       string // of a recorder elsewhere that is asked; empty for a recording here
	creds     string
	context   string        // of the nats command line, which names a server
	tls       clientTLS     // with the server
	login     []nats.Option // of the context
	domain    string        // of JetStream, behind a leaf node; empty for the server's own
	tokenFile string        // with the token for url
	config    string
	logLevel  string
	utc       bool

	fromElsewhere map[string]bool   // flags that the environment or the file set
	file          map[string]string // the settings of the file
	overFile      map[string]bool   // settings that the command line or the environment set
	level         slog.LevelVar     // of the log
	memory        memory            // that the program keeps to
	checksOnly    bool              // "config check": a command checks its settings and does nothing
}

// defaultData is /var/lib/proctape for root and the user's state folder otherwise; empty when that is not known.
func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/proctape"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) { // another counts for nothing: XDG Base Directory Specification
		return filepath.Join(dir, "proctape")
	}
	if home := os.Getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "proctape")
	}
	return ""
}

// livesIn is the folder of a data folder in which each life of a producer writes down what it has made.
func livesIn(data string) string { return filepath.Join(data, "lives") }

// resolve sets the flags that the command line did not set, from the environment or else from the file, and checks them.
func (s *settings) resolve(cmd *cobra.Command) error {
	where := "--config"
	if v, ok := os.LookupEnv("PROCTAPE_CONFIG"); ok && s.config == "" {
		where, s.config = "PROCTAPE_CONFIG", v
	}
	file, err := readConfig(where, s.config)
	if err != nil {
		return err
	}
	for name := range file {
		if name != "host" && !slices.Contains(settingNames, name) {
			return hinted(misuse("%s in %s is not a setting", name, s.config), "%sthe settings are: host, %s", didYouMean("", name, append([]string{"host"}, settingNames...)), strings.Join(settingNames, ", "))
		}
	}
	var bad error
	s.fromElsewhere, s.file, s.overFile = map[string]bool{}, file, map[string]bool{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		s.overFile[f.Name] = f.Changed
		if f.Changed || bad != nil || !isSetting(cmd, f.Name) {
			return
		}
		name := "PROCTAPE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := os.LookupEnv(name); ok {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				bad = valueError(name+"=", err)
			}
			s.fromElsewhere[f.Name], s.overFile[f.Name] = true, true
		} else if v, ok := file[f.Name]; ok {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				bad = valueError(f.Name+" in "+s.config+": ", err)
			}
			s.fromElsewhere[f.Name] = true
		}
	})
	if bad != nil {
		return bad
	}
	return s.check(cmd)
}

// settingNames are the flags that may also be set in the environment or a file. What a single listing asks for may not: it
// would hide things from every listing.
var settingNames = []string{"data", "db", "server", "context", "creds", "tls-ca", "js-domain", "log-level", "interval", "argv", "scrub-word", "kernel-threads", "group", "listen",
	"tls-cert", "tls-key", "max-log-mb", "ndjson", "ndjson-dir", "ndjson-name", "ndjson-rotate", "ndjson-limit", "no-ndjson", "rules", "memory-limit-mb", "full-resolution-hours", "downsampled-days",
	"events-days", "runs-days", "away-hours", "max-db-mb", "retention-interval", "events", "job-env", "job-rule", "syscalls", "trace-job", "nvidia-smi", "proc", "sys", "utc", "url", "token-file", "http", "http-cert", "http-key", "http-name", "notify"}

// isSetting reports whether a command's flag is a setting.
func isSetting(cmd *cobra.Command, name string) bool {
	if name == "host" { // a name for a sampler, a filter for a listing
		return slices.Contains([]string{"up", "sample", "run", "trace"}, cmd.Name()) || cmd.HasParent() && cmd.Parent().Name() == "job"
	}
	if name == "interval" && cmd.Name() == "top" { // of one screen; the setting is a sampler's
		return false
	}
	return slices.Contains(settingNames, name)
}

// check completes the paths and checks what all commands share.
func (s *settings) check(cmd *cobra.Command) error {
	var err error
	if s.utc {
		time.Local = time.UTC // for what is shown and what is read
	}
	if err := errors.Join(refuseServer(cmd, s), checkElsewhere(cmd, s)); err != nil {
		return err
	}
	if !readsDatabase(cmd) || followsLog(cmd, s) {
		if err := errors.Join(useContext(s), useNATSVariables(s, cmd)); err != nil {
			return err
		}
	}
	if s.server == "" {
		s.domain = "" // the recorder on this machine has none
	}
	if s.data, err = expandHome(s.data); err != nil {
		return err
	}
	if s.data == "" && s.url == "" && s.needsData(cmd) {
		return hinted(misuse("there is no data folder: --data names none, and HOME is not the path of a folder"),
			"name one with --data, or set HOME")
	}
	for _, name := range []string{"creds", "tls-ca", "tls-cert", "tls-key", "js-domain"} {
		ofListener := cmd.LocalNonPersistentFlags().Lookup(name) != nil // of up
		if onLine(cmd, s, name) && s.server == "" && !ofListener {
			return hinted(misuse("--%s without --server", name), "the recorder on this machine needs no credentials from its own user")
		}
	}
	if err := checkDatabases(cmd, s); err != nil {
		return err
	}
	if err := s.level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return hinted(misuse("--log-level %q is not a level", s.logLevel), "the levels are debug, info, warn and error")
	}
	s.memory = readMemory(-1)
	if works := slices.Contains([]string{"up", "sample", "project"}, cmd.Name()); s.memory.limit != mostMemory || works {
		s.memory = s.memory.set()
	}
	return nil
}

// checkDatabases completes the paths of databases, and refuses several where a command is about one.
func checkDatabases(cmd *cobra.Command, s *settings) (err error) {
	several := readsDatabase(cmd) || slices.Contains([]string{"anomalies", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}, cmd.Name())
	if len(s.dbs) > 1 && !several {
		return hinted(misuse("--db is given twice: %s is about one database", cmd.CommandPath()), "commands that read answer from several; name one here")
	}
	if s.db, err = expandHome(s.db); err != nil {
		return err
	}
	if s.db == "" && s.data != "" {
		s.db = filepath.Join(s.data, "monitor.db")
	}
	for i, path := range s.dbs {
		if s.dbs[i], err = expandHome(path); err != nil {
			return err
		}
	}
	if s.db == "" || s.url != "" || cmd.Name() == "run" { // run runs its command in any case
		return nil
	}
	for _, path := range append([]string{s.db}, s.dbs...) {
		if err := filecheck.Database(path); err != nil {
			return hinted(fmt.Errorf("open database: %w", err), "name a recorder's data folder with --data, or the file of a database with --db")
		}
	}
	return nil
}

// needsData reports whether a command, with its flags, uses the data folder.
func (s *settings) needsData(cmd *cobra.Command) bool {
	if cmd.HasSubCommands() { // it shows its help
		return false
	}
	top := cmd
	for top.HasParent() && top.Parent().HasParent() {
		top = top.Parent()
	}
	switch top.Name() {
	case "version", "help", "completion", "config":
		return false
	case "sample", "tail", "simulate", "trace", "run", "job":
		return s.server == ""
	case "project":
		return s.server == "" || s.db == ""
	}
	return !readsDatabase(top) || s.db == ""
}

// readsDatabase reports whether a command asks nothing but the database.
func readsDatabase(cmd *cobra.Command) bool {
	return slices.Contains([]string{"snapshots", "events", "execs", "history", "jobs", "profile", "report", "gaps", "top", "tree", "diff", "orphans", "why", "sql", "compare", "correlate", "estimate", "mcp", "export"}, cmd.Name())
}

// followsLog reports whether a command shows a log that the command line names, and no database.
func followsLog(cmd *cobra.Command, s *settings) bool {
	return cmd.Name() == "top" && (onLine(cmd, s, "server") || onLine(cmd, s, "context"))
}

// refuseServer refuses a --server of the command line where it would be ignored: the answer would be of another recording than
// the one that was named. In the environment it may stand for other commands.
func refuseServer(cmd *cobra.Command, s *settings) error {
	flag := ""
	switch {
	case !readsDatabase(cmd) && cmd.Name() != "bundle", followsLog(cmd, s):
	case s.server != "" && !s.fromElsewhere["server"]:
		flag = "server"
	case s.context != "" && !s.fromElsewhere["context"]:
		flag = "context"
	}
	if flag == "" {
		return nil
	}
	return hinted(misuse("%s reads a database and does not ask a server: --%s does not go with it", cmd.CommandPath(), flag),
		`name a database with --db, one made by "proctape project --server", or follow the server with "proctape tail"`)
}

// asksElsewhere reports whether a command can ask a recorder elsewhere.
func asksElsewhere(cmd *cobra.Command) bool {
	return readsDatabase(cmd) || slices.Contains([]string{"status", "tail", "bundle"}, cmd.Name())
}

// checkElsewhere checks --url against the flags that name a recording here. What the command line names counts more than what the
// environment or the file does.
func checkElsewhere(cmd *cobra.Command, s *settings) error {
	if s.url == "" {
		if onLine(cmd, s, "token-file") && asksElsewhere(cmd) {
			return hinted(misuse("--token-file without --url"), "the recording here needs no token")
		}
		return nil
	}
	for _, name := range []string{"db", "server", "data"} {
		switch {
		case !onLine(cmd, s, name):
		case !onLine(cmd, s, "url"):
			s.url = ""
			return nil
		case name != "data": // its folder may have the token
			return hinted(misuse("--url and --%s cannot be combined", name), "each names a recording")
		}
	}
	return nil
}

// onLine reports whether a flag stands on the command line.
func onLine(cmd *cobra.Command, s *settings, name string) bool {
	return cmd.Flags().Changed(name) && !s.fromElsewhere[name]
}

// useContext takes from the context that --context names what the command line, the environment and the file leave open.
func useContext(s *settings) error {
	if s.context == "" {
		return nil
	}
	if s.server != "" {
		return hinted(misuse("--context and --server cannot be combined"), "each names a server")
	}
	c, err := readNATSContext(s.context)
	if err != nil {
		return err
	}
	s.server = c.URL
	for _, of := range []struct {
		to   *string
		from string
	}{{&s.creds, c.Creds}, {&s.creds, c.NKey}, {&s.domain, c.Domain}, {&s.tls.ca, c.CA}, {&s.tls.cert, c.Cert}, {&s.tls.key, c.Key}} {
		if *of.to == "" {
			*of.to = os.ExpandEnv(of.from)
		}
	}
	s.tls.first = c.TLSFirst
	if c.User != "" {
		s.login = append(s.login, nats.UserInfo(c.User, c.Password))
	}
	if c.Token != "" {
		s.login = append(s.login, nats.Token(c.Token))
	}
	if c.InboxPrefix != "" {
		s.login = append(s.login, nats.CustomInboxPrefix(c.InboxPrefix))
	}
	return nil
}

// usesNATSVariables are the commands whose log may be anywhere: for them the variables of the nats command line count. The others ask the
// recorder on this machine, and a variable that another program needs must not send a job to another log.
var usesNATSVariables = []string{"sample", "project", "simulate"}

// useNATSVariables takes the server of NATS_URL, and the credentials of NATS_CREDS, where no server and no data folder was named.
func useNATSVariables(s *settings, cmd *cobra.Command) error {
	named := s.server != "" || s.context != "" || cmd.Flags().Changed("data")
	server := os.Getenv("NATS_URL")
	if named || server == "" || cmd.HasParent() && cmd.Parent().HasParent() || !slices.Contains(usesNATSVariables, cmd.Name()) {
		return nil
	}
	s.server = server
	if s.creds == "" {
		s.creds = os.Getenv("NATS_CREDS")
	}
	return nil
}

// logger logs to stderr what --log-level asks for, or what a reload asked for since.
func (s *settings) logger(cmd *cobra.Command) *slog.Logger {
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: &s.level}))
}
