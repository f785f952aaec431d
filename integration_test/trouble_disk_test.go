package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var believesAccess = withFault("believes-access", "schema/filecheck/writable.go",
	`	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EIO):`,
	`	case runsAs("believes-access"):
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EIO):`)

// TestTrouble_ReadOnly has the kernel take a disk's writes away under a recorder, as it does after an error of the disk. The recorder goes on
// running and says it in one line, with the reason, and status says it though the recorder cannot write down how it is.
func TestTrouble_ReadOnly(t *testing.T) {
	long(t)
	t.Parallel()
	mount := mountDisk(t, "errors=remount-ro")
	recorder := start(t, "up", "--data", filepath.Join(mount, "data"), "--host", "here", "--interval", "500ms")
	dir := filepath.Join(mount, "data")
	recorder.awaitLine("In another terminal")
	awaitCheck(t, dir, 0, "well")
	source := strings.TrimSpace(string(must(exec.Command("findmnt", "-no", "SOURCE", mount).Output())(t)))
	if err := os.WriteFile(filepath.Join("/sys/fs/ext4", filepath.Base(source), "trigger_fs_error"), []byte("1"), 0o200); err != nil {
		t.Skipf("SKIPPED: this kernel makes no error of a disk to order: %v", err)
	}
	awaitCheck(t, dir, 2, "the folder can no longer be written")
	line := func() bool { return strings.Contains(recorder.stderr(), "kind=read_only") }
	await(t, "the line of it", line)
	// For a moment, while the kernel makes the disk read-only, writes fail with an error of input and output.
	reasoned := func(said string) bool {
		return strings.Contains(said, "read-only file system") || strings.Contains(said, "input/output error")
	}
	if said := recorder.stderr(); strings.Count(said, "kind=read_only") != 1 || strings.Contains(said, "component=nats-server") || !reasoned(said) {
		t.Errorf("want one line, with the reason, and none of the server's own:\n%s", said)
	}
	if out, _ := exec.Command(believesAccess.program(t), "status", "--data", dir, "--check").CombinedOutput(); strings.Contains(string(out), "can no longer be written") {
		t.Errorf("a build that asks for its rights alone says it too: this test catches nothing: %s", out)
	}
	select {
	case <-recorder.done:
		t.Errorf("the recorder ended by itself:\n%s", recorder.stderr())
	default:
	}
	recorder.cmd.Process.Kill()
	<-recorder.done
}

// mountDisk makes a small disk and returns where it is mounted. It skips the test where that is not possible.
func mountDisk(t *testing.T, options string) (mount string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can mount a disk")
	}
	image, mount := filepath.Join(t.TempDir(), "disk.img"), t.TempDir()
	script := "truncate -s 512M " + image + " && mkfs.ext4 -q " + image + " && mount -o loop," + options + " " + image + " " + mount
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no disk can be mounted here: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", mount).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	return mount
}
