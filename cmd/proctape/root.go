package main

import (
	"github.com/spf13/cobra"
)

func newRoot() *cobra.Command {
	s := new(settings)
	root := &cobra.Command{
		Use:   "proctape",
		Short: "A flight recorder for processes and jobs",
		Long: `proctape is a flight recorder for processes and jobs. It records what each of them uses, step by
step, into a log from which everything else can be rebuilt, and answers questions about it, live and
months later.

Settings (the flags of the recorder, and where the data is) can also be set in the environment as
PROCTAPE_<FLAG>, or in a YAML file with lines of flag: value, which --config names.`,
		Example: `  proctape up                          record this machine
  proctape snapshots --since -5m       show what ran in the last five minutes
  proctape report build-7              show what a job used`,
		Version:      version,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd {
				return nil // completeNames reads the settings of the command that is typed
			}
			return s.resolve(cmd)
		},
	}
	onlyCommands(root)
	f := root.PersistentFlags()
	f.StringVar(&s.data, "data", defaultData(), "the recorder's data `folder`")
	f.Var(dbFlag{s}, "db", "database `file` (default: monitor.db in the data folder); commands that read take several and answer as from one")
	f.StringVar(&s.server, "server", "", "`URL` of a NATS server to use instead of the recorder on this machine; several with commas in between")
	f.StringVar(&s.context, "context", "", "`name` of a context of the nats command line that says which server, and how")
	f.StringVar(&s.creds, "creds", "", "`file` with the key or credentials for --server")
	f.StringVar(&s.domain, "js-domain", "", "JetStream `domain` of the log, where --server is a leaf node of the log's servers")
	f.StringVar(&s.tls.ca, "tls-ca", "", "`file` with the certificate of the authority that --server is certified by")
	f.StringVar(&s.tls.cert, "tls-cert", "", "`file` with this client's certificate for --server")
	f.StringVar(&s.tls.key, "tls-key", "", "`file` with the key of --tls-cert")
	f.StringVar(&s.config, "config", "", "YAML `file` with lines of flag: value")
	f.BoolVar(&s.utc, "utc", false, "show times in UTC, and read times without a zone as UTC")
	f.StringVar(&s.logLevel, "log-level", "warn", "what to log: debug, info, warn or error")
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(upCommand(s), sampleCommand(s), projectCommand(s), runCommand(s), jobCommand(s), traceCommand(s), hostsCommand(s), logCommand(s), doctorCommand(s), configCommand(s), backupCommand(s), restoreCommand(s), compareCommand(s), correlateCommand(s), estimateCommand(s), silenceCommand(s), snapshotsCommand(s), eventsCommand(s), execsCommand(s), topCommand(s), treeCommand(s), diffCommand(s), orphansCommand(s), whyCommand(s), sqlCommand(s), exportCommand(s), mcpCommand(s), bundleCommand(s),
		historyCommand(s), anomaliesCommand(s), alertCommand(s), rulesCommand(), jobsCommand(s), profileCommand(s), reportCommand(s), tailCommand(s), replayCommand(s),
		statusCommand(s), gapsCommand(s), quarantineCommand(s), retentionCommand(s), verifyCommand(s), simulateCommand(s), serveCommand(s), tokenCommand(s), versionCommand())
	registerElsewhere(root, s)
	completeValues(root)
	return root
}
