package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/schema/filecheck"
)

// natsContext is what a context of the nats command line says, as far as it is used here. Source: the files that "nats context save"
// writes, and nats-io/natscli on their meaning.
type natsContext struct {
	URL         string `json:"url"`
	User        string `json:"user"`
	Password    string `json:"password"`
	Token       string `json:"token"`
	Creds       string `json:"creds"`
	NKey        string `json:"nkey"`
	Cert        string `json:"cert"`
	Key         string `json:"key"`
	CA          string `json:"ca"`
	InboxPrefix string `json:"inbox_prefix"`
	TLSFirst    bool   `json:"tls_first"`
	Domain      string `json:"jetstream_domain"`

	Unused natsContextUnused `json:"-"`
}

// natsContextUnused are settings of a context that change where a client goes and are not supported here.
type natsContextUnused struct {
	NSC        string `json:"nsc"`
	UserJWT    string `json:"user_jwt"`
	SocksProxy string `json:"socks_proxy"`
	APIPrefix  string `json:"jetstream_api_prefix"`
}

// set are the names of those that a context has.
func (u *natsContextUnused) set() (names []string) {
	for name, v := range map[string]string{"nsc": u.NSC, "user_jwt": u.UserJWT, "socks_proxy": u.SocksProxy, "jetstream_api_prefix": u.APIPrefix} {
		if v != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// natsContextFolder is where the nats command line keeps its contexts.
func natsContextFolder() string {
	config := os.Getenv("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(os.Getenv("HOME"), ".config")
	}
	return filepath.Join(config, "nats", "context")
}

// readNATSContext reads a context by its name, or by the path of its file.
func readNATSContext(name string) (*natsContext, error) {
	path := name
	if !strings.ContainsRune(name, filepath.Separator) {
		path = filepath.Join(natsContextFolder(), name+".json")
	}
	b, err := filecheck.ReadSecret(path, maxSecretSize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, hinted(fmt.Errorf("--context %s: there is no file %s", printable(name), path), "%s", natsContexts(name))
	case err != nil:
		return nil, fmt.Errorf("--context %s: %w", printable(name), err)
	}
	c := new(natsContext)
	if err := errors.Join(json.Unmarshal(b, c), json.Unmarshal(b, &c.Unused)); err != nil {
		return nil, fmt.Errorf("--context %s: %s is not the file of a context", printable(name), path) // its text may hold a password
	}
	if names := c.Unused.set(); len(names) > 0 {
		return nil, hinted(fmt.Errorf("--context %s: %s in %s is not supported", printable(name), strings.Join(names, ", "), path),
			"name the server with --server, and a file of credentials with --creds")
	}
	if c.URL == "" {
		c.URL = nats.DefaultURL
	}
	return c, nil
}

// natsContexts says which contexts there are.
func natsContexts(name string) string {
	var names []string
	paths, _ := filepath.Glob(filepath.Join(natsContextFolder(), "*.json")) // the pattern is good
	for _, p := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(p), ".json"))
	}
	if len(names) == 0 {
		return `"nats context save" makes one; there is none yet`
	}
	return didYouMean("", name, names) + "the contexts are: " + printable(strings.Join(names, ", "))
}
