package remote

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema/filecheck"
)

// mostToken is more bytes than a file with a token has.
const mostToken = 4096

// ReadToken reads a token from a file, and whose file it is. It refuses a file that another user could read or exchange.
func ReadToken(path string) (token string, owner uint32, err error) {
	text, err := filecheck.ReadSecret(path, mostToken)
	if err != nil {
		return "", 0, err
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if token = strings.TrimSpace(string(text)); token == "" || strings.ContainsAny(token, " \r\n") {
		return "", 0, fmt.Errorf("%s holds no token: want one word", path)
	}
	return token, st.Uid, nil
}
