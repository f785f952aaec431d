package web

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/proctape/proctape/schema/filecheck"
)

// MinToken is the least number of characters of a token.
const MinToken = 32

// maxTokenFile is more bytes than a file with a token has.
const maxTokenFile = 4096

// ReadToken reads the token that a file holds, and makes one where there is no file. It refuses a file that another user could
// read or exchange.
func ReadToken(path string) (string, error) {
	token, err := readToken(path)
	if errors.Is(err, fs.ErrNotExist) {
		return RotateToken(path)
	}
	return token, err
}

// readToken reads the token that a file holds.
func readToken(path string) (string, error) {
	text, err := filecheck.ReadSecret(path, maxTokenFile)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if len(token) < MinToken {
		return "", fmt.Errorf("%s holds no token: want at least %d characters", path, MinToken)
	}
	return token, nil
}

// RotateToken makes a new token and puts it into a file of mode 0600, in place of the one that is there. A server whose
// configuration names the file takes it with its next request.
func RotateToken(path string) (string, error) {
	token := rand.Text() + rand.Text()                      // 260 bits
	f, err := os.CreateTemp(filepath.Dir(path), ".token-*") // of mode 0600
	if err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	_, err = f.WriteString(token + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("make a token: %w", err), os.Remove(f.Name()))
	}
	return token, nil
}
