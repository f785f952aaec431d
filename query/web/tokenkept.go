package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
)

// keptToken is the token that requests must carry now.
type keptToken struct {
	path string // of the file that holds it; empty when it stays
	log  *slog.Logger

	mu     sync.Mutex
	file   os.FileInfo // as it was when it was read last; nil for none
	sum    [sha256.Size]byte
	turn   uint64 // how many there were before
	failed bool   // the file holds no token
}

func newKeptToken(token, path string, log *slog.Logger) *keptToken {
	k := &keptToken{path: path, log: log, sum: sha256.Sum256([]byte(token))}
	if k.path != "" {
		k.now()
	}
	return k
}

// now returns the sum of the token, and its turn, which another token has another of. It looks at the file each time, which takes a
// microsecond, so that an old token is worth nothing from the moment in which the file has a new one.
func (k *keptToken) now() (sum [sha256.Size]byte, turn uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.path == "" {
		return k.sum, 0
	}
	info, err := os.Stat(k.path)
	if err == nil && k.file != nil && os.SameFile(info, k.file) && info.ModTime().Equal(k.file.ModTime()) && info.Size() == k.file.Size() && info.Mode() == k.file.Mode() {
		return k.sum, k.turn
	}
	if err != nil && k.failed {
		return k.sum, k.turn
	}
	k.take(info)
	return k.sum, k.turn
}

// take reads the file, which is another than it was. One that holds no token leaves one that nobody has.
func (k *keptToken) take(info os.FileInfo) {
	token, err := readToken(k.path)
	if err != nil {
		token = rand.Text() + rand.Text()
		if !k.failed {
			k.log.Error("nobody is answered: the token cannot be read", "file", k.path, "error", err)
		}
	} else if k.failed {
		k.log.Info("the token can be read again", "file", k.path)
	}
	sum := sha256.Sum256([]byte(token))
	if sum != k.sum {
		k.turn++
	}
	k.file, k.sum, k.failed = info, sum, err != nil
}

// isOf reports whether a request carries the token. How long it takes says nothing of the token.
func (k *keptToken) isOf(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	want, _ := k.now()
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}
