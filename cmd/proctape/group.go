package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema/filecheck"
)

// shareData shares the data folder with the group that --group names.
func shareData(s *settings, group string) error {
	if group == "" {
		return nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		if g, err = user.LookupGroupId(group); err != nil {
			return hinted(misuse("--group %q is not a group of this machine", group), "make it with: groupadd --system %s", group)
		}
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return fmt.Errorf("--group %s: its number is %q", group, g.Gid)
	}
	if groups, err := os.Getgroups(); err == nil && os.Geteuid() != 0 && !slices.Contains(append(groups, os.Getegid()), gid) {
		return hinted(misuse("--group %s: you are not in that group", group), "share with a group of yours, or be added to it: usermod -aG %s %s", group, userName(int64(os.Geteuid())))
	}
	if err := filecheck.Share(s.data, gid); err != nil {
		return hinted(fmt.Errorf("share the data folder with the group %s: %w", group, err), "name a folder of your own with --data")
	}
	return nil
}

// anotherUsers is the hint for what we may not read: whose it is, and who may let us.
func anotherUsers(s *settings) string {
	path := s.data
	if filepath.Dir(s.db) != s.data && s.db != "" {
		path = filepath.Dir(s.db)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "the recording belongs to another user"
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() {
		return "check the modes of the folder and of its files"
	}
	if gid, shared := filecheck.Group(path); shared {
		name := groupName(gid)
		return fmt.Sprintf("the recording belongs to %s, and the group %s may read it and record jobs: usermod -aG %s %s adds you, from your next login on",
			userName(int64(owner.Uid)), name, name, userName(int64(os.Geteuid())))
	}
	return fmt.Sprintf(`the recording belongs to %s, who can share it with a group: "proctape up --group GROUP"`, userName(int64(owner.Uid)))
}

// isMember reports whether we record jobs with the key of the group, and not with the recorder's own.
func isMember(s *settings) bool {
	return s.server == "" && errors.Is(unix.Access(embeddednats.AdminKeyPath(s.data), unix.R_OK), unix.EACCES)
}

func groupName(gid int) string {
	if g, err := user.LookupGroupId(strconv.Itoa(gid)); err == nil {
		return g.Name
	}
	return strconv.Itoa(gid)
}
