package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

func alertCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use: "alert", Short: "Try a rule on the past",
		Long:    "Try a rule on what was recorded, before it may wake anybody.",
		Example: `  proctape alert test memory_spike --since -30d`,
	}
	onlyCommands(cmd)
	cmd.AddCommand(alertTestCommand(s))
	return cmd
}

// trial is what alert test is asked.
type trial struct {
	rules   ruleFlags
	set     []string
	against string
}

func alertTestCommand(s *settings) *cobra.Command {
	l := new(listing)
	var t trial
	cmd := &cobra.Command{
		Use: "test RULE", Short: "List the episodes that a rule would have found in the past", Args: oneArg("a rule, or a file with one"),
		Long: `List the episodes that a rule would have found. RULE is the name of a rule, or a YAML file: then its rules are tried. Snapshots are read
where they are kept, and minutes before: the answer says which. Minutes hold means, so what passes within a minute is not seen there.
--set changes a setting of the rule, and --against compares with another rule, or with the same without --set.`,
		Example: `  proctape alert test memory_spike --since -30d
  proctape alert test memory_spike --set ratio=2 --against memory_spike --since -7d
  proctape alert test my-rules.yaml --since -1d --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := l.timeRange()
			if err != nil {
				return err
			}
			tried, err := t.compile(args[0], t.set)
			if err != nil {
				return err
			}
			var against *anomaly.Rules
			if t.against != "" {
				if against, err = t.compile(t.against, nil); err != nil {
					return err
				}
			}
			return l.withDatabase(cmd, s, func(db *query.DB) error { return testRules(cmd, db, l, r, tried, against) })
		},
	}
	registerRange(l, cmd, s)
	l.registerJSON(cmd)
	t.rules.register(cmd)
	cmd.Flags().StringArrayVar(&t.set, "set", nil, "change a setting of the rule, as `NAME=NUMBER`; may be given again")
	cmd.Flags().StringVar(&t.against, "against", "", "compare with what this `rule`, or the rules of this file, would have found")
	return cmd
}

// compile reads the rules that a word names, with settings changed.
func (t *trial) compile(word string, set []string) (*anomaly.Rules, error) {
	rules, err := t.named(word)
	if err != nil {
		return nil, err
	}
	for _, change := range set {
		name, text, ok := strings.Cut(change, "=")
		v, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil {
			return nil, hinted(misuse("--set %q is not NAME=NUMBER", change), "for example: --set ratio=2")
		}
		var known []string
		found := false
		for i := range rules {
			settings := map[string]float64{}
			for other, value := range rules[i].Settings {
				settings[other] = value
				known = append(known, other)
			}
			if _, found = settings[name]; found {
				settings[name] = v
				rules[i].Settings = settings
				break
			}
		}
		if !found {
			slices.Sort(known)
			return nil, unknownValue("--set", name, "a setting of "+word, "the settings are", known)
		}
	}
	compiled, err := anomaly.Compile(rules)
	return compiled, explainRules(err)
}

// named are the rules of a file, or the one of a name.
func (t *trial) named(word string) ([]anomaly.Rule, error) {
	if _, err := os.Stat(word); err != nil || !strings.Contains(word, ".") {
		r, err := t.rules.rule(word)
		r.Off = false
		return []anomaly.Rule{r}, err
	}
	f := ruleFlags{word}
	rules, err := f.read()
	if err != nil {
		return nil, err
	}
	before := map[string]string{}
	for _, r := range anomaly.BuiltIn() {
		before[r.Name] = r.Digest()
	}
	return slices.DeleteFunc(rules, func(r anomaly.Rule) bool { return r.Off || before[r.Name] == r.Digest() }), nil
}

// testRules tries rules on the past.
func testRules(cmd *cobra.Command, db *query.DB, l *listing, r query.Range, tried, against *anomaly.Rules) error {
	began := time.Now()
	found, err := findPast(cmd.Context(), db, r, tried)
	if err != nil {
		return err
	}
	took := time.Since(began)
	var other *pastEpisodes
	if against != nil {
		if other, err = findPast(cmd.Context(), db, r, against); err != nil {
			return err
		}
	}
	covers, err := l.coverageOf(cmd, db, r, 0, 0, false)
	if err != nil {
		return err
	}
	if l.json {
		return printCovered(cmd.OutOrStdout(), []trialAnswer{answerOfTrial(found, other, took)}, covers)
	}
	noteIncomplete(cmd, covers)
	return printTrial(cmd.OutOrStdout(), found, other, took)
}

// pastEpisodes are episodes that rules would have found, by when they started, and in how much.
type pastEpisodes struct {
	episodes []*schema.Message
	query.PastCounts
	events, runs int64
}

// findPast finds episodes in a range.
func findPast(ctx context.Context, db *query.DB, r query.Range, rules *anomaly.Rules) (*pastEpisodes, error) {
	p := &pastEpisodes{}
	engine, last := anomaly.NewEngine(rules), map[schema.Instance]*schema.Message{}
	visit := func(m *schema.Message) error {
		for _, found := range engine.Observe(m) {
			last[found.Instance] = found
		}
		return nil
	}
	var err error
	needs := rules.Needs()
	if needs.Snapshots {
		p.PastCounts, err = query.PastSnapshots(ctx, db, r, needs.Processes, needs.Metrics, visit)
	}
	if needs.Events && err == nil {
		p.events, err = query.PastEvents(ctx, db, r, visit)
	}
	if needs.Runs && err == nil {
		p.runs, err = query.PastRuns(ctx, db, r, visit)
	}
	for _, m := range last {
		if schema.Timestamp(m.Anomaly.LastSeen) >= r.Since {
			p.episodes = append(p.episodes, m)
		}
	}
	slices.SortFunc(p.episodes, func(a, b *schema.Message) int {
		return cmp.Or(cmp.Compare(a.Anomaly.Started, b.Anomaly.Started), slices.Compare(a.Instance[:], b.Instance[:]))
	})
	return p, err
}

// trialAnswer is what alert test answers.
type trialAnswer struct {
	Episodes         []trialEpisode `json:"episodes"`
	Against          []trialEpisode `json:"against,omitempty"`
	Both             int            `json:"in_both,omitempty"` // that overlap one of the other rule about the same subject
	query.PastCounts                // in which they were found
	Events           int64          `json:"events"` // starts and ends
	Runs             int64          `json:"runs"`
	Seconds          float64        `json:"seconds"` // that it took
}

// trialEpisode is an episode that a rule would have found.
type trialEpisode struct {
	Host string `json:"host"`
	*schema.Anomaly
}

func trialEpisodes(p *pastEpisodes) []trialEpisode {
	out := []trialEpisode{}
	for _, m := range p.episodes {
		out = append(out, trialEpisode{m.Host, m.Anomaly})
	}
	return out
}

func answerOfTrial(found, other *pastEpisodes, took time.Duration) trialAnswer {
	a := trialAnswer{Episodes: trialEpisodes(found), PastCounts: found.PastCounts, Events: found.events, Runs: found.runs, Seconds: took.Seconds()}
	if other != nil {
		a.Against = trialEpisodes(other)
		a.Both = len(found.episodes) - len(onlyIn(found, other))
	}
	return a
}

// onlyIn are the episodes of one that overlap none of the other about the same subject.
func onlyIn(one, other *pastEpisodes) (only []*schema.Message) {
	end := func(a *schema.Anomaly) int64 { return max(a.LastSeen, a.Ended.V) }
	for _, m := range one.episodes {
		a := m.Anomaly
		if !slices.ContainsFunc(other.episodes, func(o *schema.Message) bool {
			b := o.Anomaly
			return o.Host == m.Host && o.BootID == m.BootID && b.About.Kind == a.About.Kind && b.About.Key() == a.About.Key() && b.Started <= end(a) && a.Started <= end(b)
		}) {
			only = append(only, m)
		}
	}
	return only
}

func printTrial(w io.Writer, found, other *pastEpisodes, took time.Duration) error {
	if err := printEpisodes(w, found.episodes); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d episodes, found in %s in %s.\n", len(found.episodes), found.read(), term.Span(took.Seconds()))
	if other == nil {
		return nil
	}
	lost, won := onlyIn(other, found), onlyIn(found, other)
	fmt.Fprintf(w, "The other rule: %d episodes; %d in both, %d only here, %d only there.\n", len(other.episodes), len(found.episodes)-len(won), len(won), len(lost))
	if len(lost) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nOnly there:")
	return printEpisodes(w, lost)
}

// read says what was read.
func (p *pastEpisodes) read() string {
	var parts []string
	for _, of := range []struct {
		n    int64
		what string
	}{{p.Snapshots, "snapshots"}, {p.Samples, "process samples"}, {p.Minutes, "minutes, where snapshots are no longer kept"}, {p.MinuteSamples, "means of processes in them"}, {p.events, "starts and ends"}, {p.runs, "runs"}} {
		if of.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", of.n, of.what))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func printEpisodes(w io.Writer, episodes []*schema.Message) error {
	if len(episodes) == 0 {
		_, err := fmt.Fprintln(w, "No episodes.")
		return err
	}
	t := newTable(w, "STARTED\tFOR\tSEVERITY\tRULE\tHOST\tPEAK\tWHAT").leaving("HOST", "PEAK")
	for _, m := range episodes {
		a := m.Anomaly
		length, peak := "goes on", "-"
		if a.Ended.Known {
			length = term.Span(float64(a.Ended.V-a.Started) / 1e9)
		}
		if a.Peak.Known {
			peak = oneDecimal(float64(a.Peak.V) / 1000)
		}
		t.row("%s\t%s\t%s\t%s\t%s\t%s\t%s", localTime(schema.Timestamp(a.Started)), length, a.Severity, term.Safe(a.Rule), m.Host, peak, term.Safe(a.Description))
	}
	return t.flush()
}
