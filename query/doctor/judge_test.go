package doctor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// able is a machine that allows all of it.
func able() Facts {
	f := Facts{
		Machine: Machine{Kernel: "6.18.0", Processor: "x86_64", Root: true, Program: "/usr/bin/proctape", Hierarchies: []string{"version 2"}, Files: 1 << 16, Processes: 200,
			Privileges: []string{dacReadSearch, netAdmin, sysPtrace, syslog}, Memory: 1 << 34, MemoryBy: "there are 16384 MiB"},
		Clock: Clock{Known: true, Kept: true}, Interval: 5 * time.Second,
		Folder: Folder{Path: "/var/lib/proctape", Tried: "/var/lib", Free: 1 << 40, FS: "ext4", Sync: time.Millisecond},
		Keys:   []KeyFile{{Path: "admin.nk"}},
		Server: Server{Name: "tls://central", Asked: true, Version: "2.15.3", RoundTrip: time.Millisecond, Host: "here"},
	}
	for _, name := range []schema.Capability{schema.CapProcesses, schema.CapIO, schema.CapPSI, schema.CapEventsTaskstats, schema.CapEventsConnector, schema.CapOOM} {
		f.Abilities = append(f.Abilities, Ability{Name: string(name), Have: true, Detail: "seen"})
	}
	return f
}

// lose takes abilities away, and the Linux capabilities of the process.
func lose(f *Facts, names ...schema.Capability) {
	f.Machine.Privileges, f.Machine.Root = nil, false
	for i, a := range f.Abilities {
		if slices.Contains(names, schema.Capability(a.Name)) {
			f.Abilities[i] = Ability{Name: a.Name, Detail: "not permitted", Grant: "be another"}
		}
	}
}

// Each thing that is missing is named, with what grants it. The control of all rows is the first: nothing is missing.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Facts)
		want   map[string]string // of what lacks: a part of what grants it
	}{
		"all is there": {func(*Facts) {}, nil},
		"a user": {func(f *Facts) { lose(f, schema.CapIO, schema.CapEventsTaskstats, schema.CapOOM) },
			map[string]string{
				"I/O":              "sudo setcap cap_dac_read_search,cap_net_admin,cap_sys_ptrace,cap_syslog+ep /usr/bin/proctape",
				"source taskstats": "sudo setcap cap_dac_read_search,cap_net_admin,cap_sys_ptrace,cap_syslog+ep /usr/bin/proctape",
				"kills":            "sudo setcap cap_dac_read_search,cap_net_admin,cap_sys_ptrace,cap_syslog+ep /usr/bin/proctape"}},
		"a user who lacks one": {func(f *Facts) { lose(f, schema.CapOOM) }, map[string]string{"kills": "sudo setcap cap_syslog+ep /usr/bin/proctape"}},
		"a container": {func(f *Facts) { lose(f, schema.CapEventsTaskstats); f.Machine.Contained = true },
			map[string]string{"namespaces": "--pid=host", "source taskstats": "--network=host --cap-add=NET_ADMIN"}},
		"an ability that nothing here grants": {func(f *Facts) { lose(f, schema.CapPSI) }, map[string]string{"pressure": "be another"}},
		"root whom a security module refuses": {func(f *Facts) {
			had := f.Machine.Privileges
			lose(f, schema.CapIO)
			f.Machine.Privileges = had
		}, map[string]string{"I/O": "no command: this process has CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE"}},
		"what nobody misses": {func(f *Facts) {
			f.Abilities = append(f.Abilities, Ability{Name: string(schema.CapGPU), Quiet: true}, Ability{Name: string(schema.CapEventsPidfd), Detail: "old", Quiet: true})
		}, nil},
		"no control groups":       {func(f *Facts) { f.Machine.Hierarchies = nil }, map[string]string{"control groups": "mount -t cgroup2"}},
		"no group for a run":      {func(f *Facts) { f.RunGroup, f.Machine.Root = "permission denied", false }, map[string]string{"control groups": "systemd-run --user"}},
		"groups that cannot be":   {func(f *Facts) { f.RunGroup = "read-only file system" }, map[string]string{"control groups": "remount,rw"}},
		"few files":               {func(f *Facts) { f.Machine.Files = 256 }, map[string]string{"open files": "ulimit -n 4096"}},
		"little memory":           {func(f *Facts) { f.Machine.Memory = 100 << 20 }, map[string]string{"memory": "128 MiB"}},
		"memory nobody knows":     {func(f *Facts) { f.Machine.Memory = 0 }, nil},
		"a clock of its own":      {func(f *Facts) { f.Clock.Kept = false }, map[string]string{"clock": "timedatectl set-ntp true"}},
		"a clock nobody knows of": {func(f *Facts) { f.Clock = Clock{} }, nil},
		"a folder of others":      {func(f *Facts) { f.Folder.Error, f.Folder.Mend = "it is another's", "chown 0 x" }, map[string]string{"data folder": "chown 0 x"}},
		"a path that is no folder": {func(f *Facts) { f.Folder.Error, f.Folder.Free = "not a directory", 0 },
			map[string]string{"data folder": "--data"}},
		"a folder on a network": {func(f *Facts) { f.Folder.FS, f.Folder.Remote = "NFS", true }, map[string]string{"data folder": "a disk of this machine"}},
		"a folder in memory":    {func(f *Facts) { f.Folder.FS, f.Folder.Fleeting = "tmpfs", true }, map[string]string{"data folder": "a folder on a disk"}},
		"a full disk":           {func(f *Facts) { f.Folder.Free = 1 << 20 }, map[string]string{"disk": "--max-db-mb"}},
		"a key that others read": {func(f *Facts) { f.Keys = append(f.Keys, KeyFile{"x.nk", "others may read it", "chmod 600 x.nk"}) },
			map[string]string{"key": "chmod 600 x.nk"}},
		"no server":             {func(f *Facts) { f.Server = Server{Asked: true, Error: "refused", Grant: "start it"} }, map[string]string{"server": "start it"}},
		"nobody records":        {func(f *Facts) { f.Server = Server{} }, nil},
		"a host's key":          {func(f *Facts) { f.Server.Read = "the key may not" }, nil},
		"a reader's key":        {func(f *Facts) { f.Server.Publish = "the key may not" }, nil},
		"a key that may not":    {func(f *Facts) { f.Server.Read, f.Server.Publish = "no", "no" }, map[string]string{"reading": "--creds"}},
		"a recorder that fails": {func(f *Facts) { f.Server.Read, f.Server.Host = "no answer", "" }, map[string]string{"reading": "--creds"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := able()
			c.change(&f)
			got := map[string]string{}
			for _, check := range Judge(f) {
				if check.Part == "" || check.Name == "" || check.Detail == "" {
					t.Errorf("a check without a name or a text: %+v", check)
				}
				if check.State == Lacks {
					got[check.Name] = check.Grant
				} else if check.Grant != "" {
					t.Errorf("%s lacks nothing and is to be granted: %+v", check.Name, check)
				}
			}
			for check, part := range c.want {
				if grant, ok := got[check]; !ok || !strings.Contains(grant, part) {
					t.Errorf("%s: got %q, %t, want %q", check, grant, ok, part)
				}
				delete(got, check)
			}
			if len(got) > 0 {
				t.Errorf("lacks %v too", got)
			}
		})
	}
}

// What a day takes follows from the processes and the interval.
func TestJudge_DiskCosts(t *testing.T) {
	for _, check := range Judge(able()) {
		if check.Name == "disk" && !strings.Contains(check.Costs, "about 197 MiB for each day") { // 200 × 17 280 × 60 bytes
			t.Errorf("got %q", check.Costs)
		}
	}
}
