package process

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// daemons are shell commands that leave a process behind, whose ID they write
// to the file "pid". None of them is found by parent, group, or session.
func daemons() map[string]string {
	const stay = `sh -c 'echo $$ >pid.new; mv pid.new pid; exec sleep 1000' >/dev/null 2>&1`
	return map[string]string{
		"a session of its own":           "setsid " + stay + " &",
		"deaf to hangups":                "nohup setsid " + stay + " &",
		"cleared environment":            "env -i PATH=/usr/bin:/bin setsid " + stay + " &",
		"cleared environment, two forks": "env -i PATH=/usr/bin:/bin setsid setsid -f " + stay,
		"another mark":                   MarkVariable + "=/a/b/c setsid setsid -f " + stay,
	}
}

// leave starts a process with the mark that leaves one behind, and returns when
// it has ended.
func leave(t *testing.T, mark, script string) (left int) {
	t.Helper()
	dir := t.TempDir()
	p, err := Start(Spec{
		Path: "/bin/sh", Args: []string{"-c", script + "\nuntil test -e pid; do sleep 0.02; done"}, Dir: dir, Output: &bytes.Buffer{},
		Env: []string{"PATH=/usr/bin:/bin", MarkVariable + "=" + mark},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Exit()
	p.EndRest()
	left = number(t, filepath.Join(dir, "pid"))
	t.Cleanup(func() { _ = unix.Kill(left, unix.SIGKILL) })
	return left
}

func TestEndMarkedDaemons(t *testing.T) {
	for name, script := range daemons() {
		for _, whole := range []bool{false, true} {
			folder := filepath.Join(t.TempDir(), "pods")
			mark := filepath.Join(folder, "pod", "app")
			t.Run(name, func(t *testing.T) {
				left := leave(t, mark, script)
				other := leave(t, filepath.Join(folder+"2", "pod", "app"), script)
				beside := leave(t, filepath.Join(folder, "pod", "sidecar"), script)
				value := mark
				if whole {
					value = folder
				}
				if n := EndMarked(MarkVariable, value); n == 0 || runs(left) {
					t.Errorf("process %d still runs", left)
				}
				if !runs(other) {
					t.Error("a process of another folder was killed")
				}
				if runs(beside) == whole {
					t.Errorf("a process of another container runs: %v", !whole)
				}
			})
		}
	}
}

// TestMarkIsNotKept looks at this process after it has started one with a mark,
// and at one that is started without.
func TestMarkIsNotKept(t *testing.T) {
	leave(t, "/folder/pod/app", daemons()["a session of its own"])
	if n, ok := tagIn(os.Getpid()); ok {
		t.Errorf("this process has the mark %x", n)
	}
	p, err := Start(Spec{Path: "/bin/sleep", Args: []string{"1000"}, Output: &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop(0)
	if n, ok := tagIn(p.Pid()); ok {
		t.Errorf("an unmarked process has the mark %x", n)
	}
}
