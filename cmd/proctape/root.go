package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// settings are the flags that all commands share.
type settings struct {
	data     string
	db       string
	server   string
	creds    string
	config   string
	logLevel string

	implied map[string]bool // flags that the environment or the file set, and not the command line
}

func newRoot() *cobra.Command {
	s := new(settings)
	root := &cobra.Command{
		Use:   "proctape",
		Short: "A flight recorder for processes and jobs",
		Long: `proctape is a flight recorder for processes and jobs. It records what each of them uses, step by
step, into a log that everything else can be rebuilt from, and answers questions about it, live
and months later.

Settings (the flags of the recorder, and where the data is) can also stand in the environment as
PROCTAPE_<FLAG>, or in a YAML file of flag: value lines that --config names.`,
		Example: `  proctape up                          record this machine
  proctape snapshots --since -5m       what ran in the last five minutes
  proctape report build-7              what a job used`,
		Version:      version,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd {
				return nil // the settings are those of the command that is typed: see offer
			}
			return s.complete(cmd)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return hinted(misuse("unknown command %q", args[0]), "proctape --help lists the commands")
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	f := root.PersistentFlags()
	f.StringVar(&s.data, "data", defaultData(), "data `folder`")
	f.StringVar(&s.db, "db", "", "database `file` (default: monitor.db in the data folder)")
	f.StringVar(&s.server, "server", "", "`URL` of a NATS server to use, in place of the recorder on this machine")
	f.StringVar(&s.creds, "creds", "", "`file` with the key or credentials for --server")
	f.StringVar(&s.config, "config", "", "YAML `file` of flag: value lines")
	f.StringVar(&s.logLevel, "log-level", "warn", "what to log: debug, info, warn or error")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return hinted(&misuseError{err}, "%s --help lists the flags", cmd.CommandPath())
	})
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(upCommand(s), sampleCommand(s), projectCommand(s), runCommand(s), jobCommand(s), traceCommand(s), snapshotsCommand(s), eventsCommand(s),
		historyCommand(s), jobsCommand(s), profileCommand(s), reportCommand(s), tailCommand(s), replayCommand(s),
		statusCommand(s), gapsCommand(s), quarantineCommand(s), retentionCommand(s), verifyCommand(s), simulateCommand(s), versionCommand())
	return root
}

// defaultData is /var/lib/proctape for root and the user's state folder otherwise.
func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/proctape"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "proctape")
	}
	return filepath.Join(os.Getenv("HOME"), ".local", "state", "proctape")
}

// complete sets the flags that the command line did not, from the environment and then the file, and makes paths
// of what stands for them.
func (s *settings) complete(cmd *cobra.Command) error {
	if v, ok := os.LookupEnv("PROCTAPE_CONFIG"); ok && s.config == "" {
		s.config = v
	}
	file, err := readConfig(s.config)
	if err != nil {
		return err
	}
	for name := range file {
		if name != "host" && !slices.Contains(settingNames, name) {
			return hinted(misuse("%s in %s is no setting", name, s.config), "the settings are: host, %s", strings.Join(settingNames, ", "))
		}
	}
	var bad error
	s.implied = map[string]bool{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || bad != nil || !isSetting(cmd, f.Name) {
			return
		}
		name := "PROCTAPE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := os.LookupEnv(name); ok {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				bad = misuse("%s=%q: %w", name, v, err)
			}
			s.implied[f.Name] = true
		} else if v, ok := file[f.Name]; ok {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				bad = misuse("%s in %s: %w", f.Name, s.config, err)
			}
			s.implied[f.Name] = true
		}
	})
	if bad != nil {
		return bad
	}
	return s.finish(cmd)
}

// settingNames are the flags that outlive a call, and so may stand in the environment or a file. What one listing asks
// for does not.
var settingNames = []string{"data", "db", "server", "creds", "log-level", "interval", "argv", "scrub-word", "kernel-threads", "listen",
	"tls-cert", "tls-key", "max-log-mb", "ndjson", "ndjson-limit", "no-ndjson", "memory-limit-mb", "full-resolution-hours", "downsampled-days",
	"events-days", "away-hours", "max-db-mb", "retention-interval", "events", "job-rule", "syscalls", "trace-job", "nvidia-smi"}

// isSetting reports whether a command's flag is a setting.
func isSetting(cmd *cobra.Command, name string) bool {
	if name == "host" { // of a sampler it is a name, of a listing a filter
		return slices.Contains([]string{"up", "sample", "run", "trace"}, cmd.Name()) || cmd.HasParent() && cmd.Parent().Name() == "job"
	}
	return slices.Contains(settingNames, name)
}

func (s *settings) finish(cmd *cobra.Command) error {
	var err error
	if s.data, err = expand(s.data); err != nil {
		return err
	}
	if s.db, err = expand(s.db); err != nil {
		return err
	}
	if s.db == "" {
		s.db = filepath.Join(s.data, "monitor.db")
	}
	if cmd.Flags().Changed("creds") && s.creds != "" && s.server == "" && os.Getenv("PROCTAPE_CREDS") == "" {
		return hinted(misuse("--creds without --server"), "the recorder on this machine needs no credentials from its own user")
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return misuse("--log-level %q: want debug, info, warn or error", s.logLevel)
	}
	return nil
}

// expand resolves a leading ~.
func expand(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok || rest != "" && rest[0] != '/' {
		return path, nil
	}
	home, err := os.UserHomeDir()
	return home + rest, err
}

// readConfig reads a file of settings. Values may be any YAML scalar, and lists of them for flags that may be repeated.
func readConfig(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var values map[string]any
	if err := yaml.Unmarshal(b, &values); err != nil {
		return nil, misuse("read %s: %w", path, err)
	}
	file := map[string]string{}
	for name, v := range values {
		if list, ok := v.([]any); ok {
			words := make([]string, len(list))
			for i := range list {
				words[i] = fmt.Sprint(list[i])
			}
			v = strings.Join(words, ",")
		}
		file[strings.ReplaceAll(name, "_", "-")] = fmt.Sprint(v)
	}
	return file, nil
}

func (s *settings) logger(cmd *cobra.Command) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.logLevel)) // checked by finish
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
}

// noArgs is cobra.NoArgs with an error of ours.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return hinted(misuse("%s takes no argument, got %q", cmd.CommandPath(), args[0]), "%s --help shows how it is called", cmd.CommandPath())
	}
	return nil
}

// oneArg asks for exactly one argument.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" {
			return nil
		}
		return hinted(misuse("%s wants one argument, the %s", cmd.CommandPath(), what), "%s --help shows how it is called", cmd.CommandPath())
	}
}
