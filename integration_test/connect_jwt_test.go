package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// operator is who signs the accounts of a server, as nsc does.
type operator struct {
	t        *testing.T
	key      nkeys.KeyPair
	claims   *jwt.OperatorClaims
	accounts *server.MemAccResolver
}

func newOperator(t *testing.T) *operator {
	o := &operator{t: t, key: must(nkeys.CreateOperator())(t), accounts: &server.MemAccResolver{}}
	o.claims = jwt.NewOperatorClaims(publicOf(t, o.key))
	return o
}

func publicOf(t *testing.T, key nkeys.KeyPair) string { return must(key.PublicKey())(t) }

// account makes an account, with a log or without.
func (o *operator) account(log bool) nkeys.KeyPair {
	o.t.Helper()
	key := must(nkeys.CreateAccount())(o.t)
	claims := jwt.NewAccountClaims(publicOf(o.t, key))
	if log {
		claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	}
	if err := o.accounts.Store(claims.Subject, must(claims.Encode(o.key))(o.t)); err != nil {
		o.t.Fatal(err)
	}
	return key
}

// creds is a file with a user of an account.
func (o *operator) creds(account nkeys.KeyPair, ends time.Time, publish ...string) string {
	o.t.Helper()
	key := must(nkeys.CreateUser())(o.t)
	claims := jwt.NewUserClaims(publicOf(o.t, key))
	claims.Pub.Allow.Add(publish...)
	if !ends.IsZero() {
		claims.Expires = ends.Unix()
	}
	path := filepath.Join(o.t.TempDir(), "user.creds")
	if err := os.WriteFile(path, must(jwt.FormatUserConfig(must(claims.Encode(account))(o.t), must(key.Seed())(o.t)))(o.t), 0o600); err != nil {
		o.t.Fatal(err)
	}
	return path
}

// TestConnect_JWT works with a server whose accounts an operator has signed, by NATS_URL and NATS_CREDS and by the flags: a sampler that may publish for its
// host alone, and a projector. Users that may not, or may no longer, are told why; what is in their files is printed nowhere.
func TestConnect_JWT(t *testing.T) {
	long(t)
	t.Parallel()
	o := newOperator(t)
	system, account, bare := o.account(false), o.account(true), o.account(false)
	o.claims.SystemAccount = publicOf(t, system)
	port := startNATS(t, &server.Options{TrustedOperators: []*jwt.OperatorClaims{o.claims}, AccountResolver: o.accounts, SystemAccount: publicOf(t, system)})
	url := fmt.Sprintf("nats://127.0.0.1:%d", port)
	admin, sampler := o.creds(account, time.Time{}), o.creds(account, time.Time{}, "proctape.v1.beta.>", "$JS.API.STREAM.INFO.PROCTAPE_EVENTS", "$JS.API.CONSUMER.CREATE.PROCTAPE_EVENTS.>",
		"$JS.API.CONSUMER.MSG.NEXT.PROCTAPE_EVENTS.>", "$JS.API.CONSUMER.DELETE.PROCTAPE_EVENTS.>")
	variables := func(creds string) []string {
		return []string{"NATS_URL=" + url, "NATS_CREDS=" + creds, "HOME=" + t.TempDir()}
	}
	if said, code := asked(t, variables(admin)); code != 0 {
		t.Fatalf("by the variables: exit code %d, %s", code, said)
	}
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	projects := start(t, "project", "--server", url, "--creds", admin, "--db", db)
	projects.awaitLine("is projecting")
	samples := start(t, "sample", "--server", url, "--creds", sampler, "--host", "beta", "--interval", "100ms", "--events", "proc-diff", "--data", dir)
	await(t, "snapshots of a user who may publish for one host", func() bool { return snapshotsOf(t, db, "beta") > 3 })
	samples.stop()
	projects.stop()
	few := o.creds(account, time.Time{}, "proctape.v1.beta.>")
	if said, code := exitOf(t, "sample", "--server", url, "--creds", few, "--host", "beta", "--data", t.TempDir()); code != 1 || !strings.Contains(said, "the key may not publish to $JS.API.CONSUMER.CREATE.PROCTAPE_EVENTS") {
		t.Errorf("a user who may publish and not read which jobs there are: exit code %d, %s", code, said)
	}
	if said, code := exitOf(t, "sample", "--server", url, "--creds", sampler, "--host", "gamma", "--interval", "100ms", "--events", "proc-diff", "--data", t.TempDir()); code != 1 || !strings.Contains(said, "the key may not publish to proctape.v1.gamma.") {
		t.Errorf("another host's user: exit code %d, %s", code, said)
	}
	for name, c := range map[string]struct{ creds, says string }{
		"no longer":        {o.creds(account, time.Now().Add(-time.Hour)), "creds"},
		"another operator": {newOperator(t).creds(must(nkeys.CreateAccount())(t), time.Time{}), "creds"},
		"no log":           {o.creds(bare, time.Time{}), "JetStream"},
	} {
		said, code := asked(t, variables(c.creds))
		if code == 0 || !strings.Contains(said, c.says) || strings.Contains(said, "eyJ") || strings.Contains(said, "SU") && strings.Contains(said, "SEED") {
			t.Errorf("%s: exit code %d, %s", name, code, said)
		}
		t.Logf("%s: %s", name, said)
	}
}
