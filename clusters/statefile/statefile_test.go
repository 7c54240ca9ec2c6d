package statefile_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// Environment variables that make the test program a child with a job.
const (
	writerVar = "STATEFILE_TEST_WRITES" // write this file over and over
	fullVar   = "STATEFILE_TEST_FULL"   // write this file, and append to it, on a full disk
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(writerVar) != "":
		writeForever(os.Getenv(writerVar))
	case os.Getenv(fullVar) != "":
		os.Exit(writeTooMuch(os.Getenv(fullVar)))
	}
	os.Exit(m.Run())
}

// contents are two that differ in length, each longer than one block.
func contents() [2][]byte {
	return [2][]byte{bytes.Repeat([]byte("old\n"), 5000), bytes.Repeat([]byte("newer\n"), 9000)}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestWrite(t *testing.T) {
	for _, test := range []struct {
		name   string
		before string // "" for no file
		perm   os.FileMode
		umask  int
		want   os.FileMode
	}{
		{"new", "", 0o600, 0o022, 0o600},
		{"replaced", "before", 0o600, 0o022, 0o600},
		{"no umask", "before", 0o600, 0, 0o600},
		{"for others", "before", 0o644, 0o022, 0o644},
		{"for others, who may not", "before", 0o644, 0o077, 0o600},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "a file.json")
			if test.before != "" {
				if err := os.WriteFile(path, []byte(test.before), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			defer syscall.Umask(syscall.Umask(test.umask))
			if err := statefile.Write(path, []byte("after"), test.perm); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode() != test.want || read(t, path) != "after" {
				t.Errorf("%v, %v, %q", info.Mode(), err, read(t, path))
			}
			if got := names(t, dir); len(got) != 1 {
				t.Errorf("it leaves %q", got)
			}
		})
	}
}

func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"no folder": filepath.Join(dir, "missing", "file"),
		"a folder":  filepath.Join(dir, "folder"),
	} {
		if name == "a folder" {
			if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		err := statefile.Write(path, []byte("x"), 0o600)
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v does not name %s", name, err, path)
		}
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("it leaves %q", got)
	}
}

func TestIsTemporary(t *testing.T) {
	for name, want := range map[string]string{
		".kubeconfig.writing-ABC":   "kubeconfig",
		"..hidden.json.writing-ABC": ".hidden.json",
		".a.writing-b.writing-c":    "a",
		"kubeconfig":                "",
		"kubeconfig.writing-ABC":    "",
		".writing-ABC":              "",
		"..writing-":                "",
		".kubeconfig":               "",
	} {
		of, is := statefile.IsTemporary(name)
		if is != (want != "") || is && of != want {
			t.Errorf("%s: %q, %v", name, of, is)
		}
	}
}

// TestWriteInterrupted brings about what a crash leaves at each step of a
// write: whoever reads finds the old content, and the next write works.
func TestWriteInterrupted(t *testing.T) {
	old, later := "old", "later content"
	for cut := range len(later) + 1 {
		dir := t.TempDir()
		path := filepath.Join(dir, "state.json")
		if err := statefile.Write(path, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
		left := filepath.Join(dir, ".state.json.writing-X")
		if err := os.WriteFile(left, []byte(later[:cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != old {
			t.Errorf("cut at %d: %q", cut, got)
		}
		if of, is := statefile.IsTemporary(filepath.Base(left)); !is || of != "state.json" {
			t.Errorf("%s is not recognised", left)
		}
		if err := statefile.Write(path, []byte(later), 0o600); err != nil || read(t, path) != later {
			t.Errorf("cut at %d: %v, %q", cut, err, read(t, path))
		}
	}
}

// writeForever writes one content and the other, and says so once.
func writeForever(path string) {
	for i := 0; ; i++ {
		if err := statefile.Write(path, contents()[i%2], 0o600); err != nil {
			panic(err)
		}
		if i == 0 {
			os.Stdout.WriteString("writing\n")
		}
	}
}

// TestWriteKilled kills a process that writes, at whatever step it is.
func TestWriteKilled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.json")
	for i := range 40 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerVar+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		// Another moment each time.
		time.Sleep(time.Duration(i*137) * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if got, all := read(t, path), contents(); got != string(all[0]) && got != string(all[1]) {
			t.Fatalf("%d bytes that were never written as a whole", len(got))
		}
	}
	for _, name := range names(t, dir) {
		if of, is := statefile.IsTemporary(name); name != "state.json" && (!is || of != "state.json") {
			t.Errorf("%s is left and not recognised", name)
		}
	}
}

// TestFullDisk writes more than there is room for: once on a file system of
// 64 KiB, once with a limit for the size of files.
func TestFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("mounts a tmpfs, which only Linux has")
	}
	t.Run("limit", func(t *testing.T) {
		runFull(t, exec.Command(os.Args[0]), t.TempDir())
	})
	t.Run("tmpfs", func(t *testing.T) {
		inNamespace := []string{"--user", "--map-root-user", "--mount"}
		if out, err := exec.Command("unshare", append(inNamespace, "mount", "-t", "tmpfs", "none", "/mnt")...).CombinedOutput(); err != nil {
			t.Skipf("mounting is not allowed here: %v: %s", err, out)
		}
		dir := t.TempDir()
		runFull(t, exec.Command("unshare", append(inNamespace,
			"sh", "-c", `mount -t tmpfs -o size=64k none "$1" && exec "$0"`, os.Args[0], dir)...), dir)
	})
}

func runFull(t *testing.T, cmd *exec.Cmd, dir string) {
	t.Helper()
	cmd.Env = append(os.Environ(), fullVar+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// writeTooMuch looks at what writing does when there is no room.
func writeTooMuch(dir string) (code int) {
	fail := func(args ...any) int {
		for _, arg := range args {
			if err, ok := arg.(error); ok {
				arg = err.Error()
			}
			os.Stdout.WriteString(arg.(string) + " ")
		}
		return 1
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 60 << 10, Max: 60 << 10}); err != nil {
		return fail(err)
	}
	path, journal := filepath.Join(dir, "state"), statefile.Journal{Path: filepath.Join(dir, "journal"), Perm: 0o600}
	if err := errors.Join(statefile.Write(path, []byte("old"), 0o600), journal.Append("first")); err != nil {
		return fail("with room:", err)
	}
	large := strings.Repeat("x", 100<<10)
	if err := statefile.Write(path, []byte(large), 0o600); !full(err) {
		return fail("a file that has no room was written")
	}
	if err := journal.Append("second", large); !full(err) {
		return fail("a record that has no room was appended")
	}
	raw, err := os.ReadFile(path)
	if err != nil || string(raw) != "old" {
		return fail("the file is not the old one:", string(raw))
	}
	if raw, err = os.ReadFile(journal.Path); err != nil || string(raw) != "\"first\"\n" {
		return fail("the journal is not the old one:", string(raw))
	}
	if err := errors.Join(statefile.Write(path, []byte("new"), 0o600), journal.Append("second")); err != nil {
		return fail("with room again:", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		return fail("something is left beside them")
	}
	return 0
}

func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EFBIG)
}
