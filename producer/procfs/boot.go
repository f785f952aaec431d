package procfs

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"time"
)

const bootIDFile = "sys/kernel/random/boot_id"

// BootID returns the random identifier the kernel chose at boot, a UUID in text form. Together with a pid and its start
// time it names one process for ever. Source: /proc/sys/kernel/random/boot_id, man random(4).
//
// Where that cannot be read, err says why, and id is made of the machine's name and the minute of the boot: every program
// on the machine finds the same one, as long as nobody sets the clock.
func (fs *mount) BootID() (id string, err error) {
	if id, err = fs.readBootID(); err != nil {
		return makeBootID(), err
	}
	return id, nil
}

func (fs *mount) readBootID() (string, error) {
	if err := fs.open(); err != nil {
		return "", err
	}
	data, err := readSmall(fs.rootFD, bootIDFile, fs.buffer)
	if err != nil {
		return "", readError(fs.path(bootIDFile), err)
	}
	id := strings.TrimSpace(string(data))
	if !isUUID(id) {
		return "", readError(fs.path(bootIDFile), fmt.Errorf("%.40q is no UUID", id))
	}
	return id, nil
}

func makeBootID() string {
	wall, boot := ReadClocks()
	minute := time.Unix(0, wall-boot).Round(time.Minute).Unix()
	name, _ := os.Hostname() // without one, the minute has to do
	h := sha256.Sum256(fmt.Appendf(nil, "proctape boot of %q at %d", name, minute))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// isUUID reports whether s is a UUID in text form, RFC 9562 section 4.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
			return false
		}
	}
	return true
}
