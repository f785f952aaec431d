package procfs

import (
	"maps"

	"golang.org/x/sys/unix"
)

// realUser is the real user of the process whose directory dir is, see [FS.RealUser]. It reads through buf.
func realUser(dir int, buf []byte) (uid int, ok bool) {
	var exe unix.Stat_t
	err := unix.Fstatat(dir, "exe", &exe, 0)
	if err != nil || exe.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
		return 0, false
	}
	data, err := readSmall(dir, "status", buf)
	if err != nil {
		return 0, false
	}
	n, err := labelled(data, "Uid:")
	return int(n), err == nil
}

// readEnvironment reads the variables that keys names, and whose environment it is, through buffer, in which it leaves
// nothing. A process may begin to execute another program meanwhile, and then be another user's: so the variables are
// read on both sides of the user. Where they are not the same, or the user cannot be told, none are returned.
func readEnvironment(dir int, keys []string, buffer []byte) (env map[string]string, uid int) {
	env, ok := readVariables(dir, keys, buffer)
	if !ok || len(env) == 0 {
		return env, 0
	}
	uid, ok = realUser(dir, make([]byte, statBufferSize))
	again, _ := readVariables(dir, keys, buffer)
	if !ok || !maps.Equal(env, again) {
		return map[string]string{}, 0
	}
	return env, uid
}

// readVariables reads the variables that keys names. Ok is false when the environment cannot be read.
func readVariables(dir int, keys []string, buffer []byte) (env map[string]string, ok bool) {
	data, err := readHead(dir, "environ", buffer)
	defer clear(data)
	if err != nil {
		return nil, false
	}
	return parseEnv(data, keys), true
}
