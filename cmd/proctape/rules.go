package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/query/term"
)

// ruleFlags is the flag of the commands that have rules look at what is recorded.
type ruleFlags struct{ path string }

func (f *ruleFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.path, "rules", "", "`file` or folder of rules that find anomalies, beside the built-in ones (proctape rules --help)")
}

// compile reads and checks the rules.
func (f *ruleFlags) compile() (*anomaly.Rules, error) {
	rules, err := f.read()
	if err != nil {
		return nil, err
	}
	compiled, err := anomaly.Compile(rules)
	return compiled, explainRules(err)
}

func (f *ruleFlags) read() ([]anomaly.Rule, error) {
	path, err := expandHome(f.path)
	if err != nil {
		return nil, err
	}
	rules, err := anomaly.ReadRules(path)
	return rules, explainRules(err)
}

// explainRules adds to an error of rules what to do about it.
func explainRules(err error) error {
	if err == nil {
		return nil
	}
	var unknown *anomaly.UnknownNameError
	if errors.As(err, &unknown) {
		return hinted(&misuseError{err}, "%sproctape rules fields shows the fields of each scope", didYouMean("", unknown.Name, unknown.Known))
	}
	return hinted(&misuseError{err}, "docs/anomalies.md says how a rule is written")
}

func rulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rules", Short: "Show and check the rules that find anomalies",
		Long: `Rules say what an anomaly is. The built-in ones always look at what is recorded; --rules of up and project adds
those of a file, or changes built-in ones. docs/anomalies.md says how a rule is written.`,
		Example: `  proctape rules list
  proctape rules show memory_spike
  proctape rules check my-rules.yaml`,
	}
	onlyCommands(cmd)
	cmd.AddCommand(rulesListCommand(), rulesShowCommand(), rulesCheckCommand(), rulesFieldsCommand())
	return cmd
}

func rulesListCommand() *cobra.Command {
	var f ruleFlags
	l := new(listing)
	cmd := &cobra.Command{
		Use: "list", Short: "List the rules", Args: noArgs,
		Example: `  proctape rules list
  proctape rules list --rules my-rules.yaml --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rules, err := f.read()
			if err != nil {
				return err
			}
			if _, err := anomaly.Compile(rules); err != nil {
				return explainRules(err)
			}
			if l.json {
				return printJSON(cmd.OutOrStdout(), rules)
			}
			t := newTable(cmd.OutOrStdout(), "RULE\tON\tSEVERITY\tFOR\tWHAT")
			for _, r := range rules {
				t.row("%s\t%s\t%s\t%s\t%s", term.Safe(r.Name), r.On, cmp.Or(string(r.Severity), "medium"), heldFor(r), term.Safe(docOf(&r)))
			}
			return t.flush()
		},
	}
	f.register(cmd)
	l.registerJSON(cmd)
	return cmd
}

func heldFor(r anomaly.Rule) string {
	switch {
	case r.Off:
		return "off"
	case r.Count > 0:
		return fmt.Sprintf("%d in %s", r.Count, written(r.Window))
	case r.For > 0:
		return written(r.For)
	}
	return "-"
}

// written shows a duration as it is written in a rule: 5m, and not 5m0s.
func written(d anomaly.Duration) string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func docOf(r *anomaly.Rule) string { return cmp.Or(r.Doc, r.When) }

func rulesShowCommand() *cobra.Command {
	var f ruleFlags
	l := new(listing)
	cmd := &cobra.Command{
		Use: "show RULE", Short: "Show all that a rule says", Args: oneArg("a rule"),
		Long: "Show all that a rule says, as YAML that --rules reads: copy it to change it.",
		Example: `  proctape rules show memory_spike
  proctape rules show leak > my-rules.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := f.rule(args[0])
			if err != nil {
				return err
			}
			if l.json {
				return printJSON(cmd.OutOrStdout(), []anomaly.Rule{r})
			}
			return printRule(cmd.OutOrStdout(), r)
		},
	}
	f.register(cmd)
	l.registerJSON(cmd)
	return cmd
}

// rule is the rule of a name.
func (f *ruleFlags) rule(name string) (anomaly.Rule, error) {
	rules, err := f.read()
	if err != nil {
		return anomaly.Rule{}, err
	}
	var names []string
	for _, r := range rules {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	return anomaly.Rule{}, unknownValue("", name, "a rule", "the rules are", names)
}

// printRule prints a rule as YAML, without what it leaves out.
func printRule(w io.Writer, r anomaly.Rule) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	var keys map[string]any
	if err := json.Unmarshal(b, &keys); err != nil {
		return err
	}
	delete(keys, "built_in")
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, key := range ruleKeys(keys) {
		var k, v yaml.Node
		k.SetString(key)
		if err := v.Encode(keys[key]); err != nil {
			return err
		}
		node.Content = append(node.Content, &k, &v)
	}
	var text bytes.Buffer // what cannot be written yaml tells as text alone
	e := yaml.NewEncoder(&text)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(map[string]any{"rules": []*yaml.Node{node}}), e.Close()); err != nil {
		return err
	}
	_, err = term.Writer{W: w}.Write(text.Bytes())
	return err
}

// ruleKeys are the keys of a rule in the order in which people write them.
func ruleKeys(keys map[string]any) []string {
	order := []string{"name", "type", "doc", "on", "by", "settings", "watch", "track", "window", "when", "count", "until", "for", "clear_for", "severity", "escalate", "value", "worst",
		"threshold", "show", "describe", "labels", "jobs", "off"}
	return slices.SortedFunc(maps.Keys(keys), func(a, b string) int { return cmp.Compare(slices.Index(order, a), slices.Index(order, b)) })
}

func rulesCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check FILE", Short: "Check a file or a folder of rules", Args: oneArg("a file"),
		Long:    "Check a file or a folder of rules, as up and project do that are given it with --rules, and say what it changes.",
		Example: `  proctape rules check my-rules.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f := ruleFlags{args[0]}
			rules, err := f.read()
			if err != nil {
				return err
			}
			if _, err := anomaly.Compile(rules); err != nil {
				return explainRules(err)
			}
			before := map[string]string{}
			for _, r := range anomaly.BuiltIn() {
				before[r.Name] = r.Digest()
			}
			for _, r := range rules {
				was, known := before[r.Name]
				switch {
				case !known:
					fmt.Fprintf(cmd.OutOrStdout(), "%s: new, %s\n", term.Safe(r.Name), term.Safe(docOf(&r)))
				case was != r.Digest() && r.Off:
					fmt.Fprintf(cmd.OutOrStdout(), "%s: off\n", r.Name)
				case was != r.Digest():
					fmt.Fprintf(cmd.OutOrStdout(), "%s: changed\n", r.Name)
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d rules, all well.\n", len(rules))
			return nil
		},
	}
	return cmd
}

func rulesFieldsCommand() *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "fields [SCOPE]", Short: "List what a rule on processes, groups, jobs, hosts, GPUs, runs or events may name", Args: oneArgAtMost,
		Long: "List the fields that the expressions of a rule may name, by its scope; without one, of processes.\nThe scopes are " + strings.Join(anomaly.Scopes, ", ") + ".",
		Example: `  proctape rules fields
  proctape rules fields host`,
		RunE: func(cmd *cobra.Command, args []string) error {
			scope := anomaly.OnProcess
			if len(args) > 0 {
				scope = args[0]
			}
			fields := anomaly.FieldsOf(scope)
			if fields == nil {
				return unknownValue("", scope, "a scope", "the scopes are", anomaly.Scopes)
			}
			switch {
			case scope == anomaly.OnRun:
				fields = slices.Concat(fields, anomaly.RunTrackedFields)
			case slices.Contains(anomaly.Scopes[6:], scope):
				fields = slices.Concat(fields, anomaly.CountedFields)
			default:
				fields = slices.Concat(fields, anomaly.TrackedFields)
			}
			if l.json {
				return printJSON(cmd.OutOrStdout(), fields)
			}
			t := newTable(cmd.OutOrStdout(), "FIELD\tUNIT\tWHAT")
			for _, f := range fields {
				t.row("%s\t%s\t%s", f.Name, f.Unit, f.Doc)
			}
			return t.flush()
		},
	}
	l.registerJSON(cmd)
	return cmd
}
