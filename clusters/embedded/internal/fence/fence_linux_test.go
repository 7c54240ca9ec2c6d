package fence_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/fence"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

// attempts are what a hostile program tries. Each returns nil if it succeeds.
func attempts() map[string]func(arg string) error {
	return map[string]func(string) error{
		"read":   func(path string) error { _, err := os.ReadFile(path); return err },
		"list":   func(path string) error { _, err := os.ReadDir(path); return err },
		"write":  func(path string) error { return os.WriteFile(path, []byte("hostile"), 0o600) },
		"remove": os.Remove,
		"rename": func(path string) error { return os.Rename(path, path+".moved") },
		"run": func(path string) error {
			child, err := os.StartProcess(path, []string{path}, &os.ProcAttr{})
			if err != nil {
				return err
			}
			_, err = child.Wait()
			return err
		},
		"tcp": func(addr string) error { return dial("tcp", addr) },
		"listen": func(addr string) error {
			l, err := net.Listen("tcp", addr)
			if err == nil {
				l.Close()
			}
			return err
		},
		"udp":  func(addr string) error { return send(syscall.AF_INET, syscall.SOCK_DGRAM, 0, addr) },
		"raw":  func(addr string) error { return send(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP, addr) },
		"sctp": func(addr string) error { return send(syscall.AF_INET, syscall.SOCK_STREAM, 132, addr) },
		"multipath": func(addr string) error {
			return send(syscall.AF_INET, syscall.SOCK_STREAM, 262, addr)
		},
		"netlink": func(string) error { return send(syscall.AF_NETLINK, syscall.SOCK_RAW, 0, "") },
		"unix":    func(path string) error { return dial("unix", path) },
		"fastopen": func(addr string) error {
			fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer syscall.Close(fd)
			return syscall.Sendto(fd, []byte("hostile"), 0x20000000, sockaddr(addr))
		},
		"signal": func(pid string) error {
			n, err := strconv.Atoi(pid)
			if err != nil {
				return err
			}
			return syscall.Kill(n, 0)
		},
	}
}

func dial(network, addr string) error {
	conn, err := net.DialTimeout(network, addr, 5*time.Second)
	if err == nil {
		conn.Close()
	}
	return err
}

func send(family, kind, protocol int, addr string) error {
	fd, err := syscall.Socket(family, kind, protocol)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if addr == "" {
		return nil
	}
	if kind == syscall.SOCK_STREAM {
		return syscall.Connect(fd, sockaddr(addr))
	}
	return syscall.Sendto(fd, []byte("hostile"), 0, sockaddr(addr))
}

func sockaddr(addr string) syscall.Sockaddr {
	_, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return &syscall.SockaddrInet4{Port: n, Addr: [4]byte{127, 0, 0, 1}}
}

// TestMain makes the test program the hostile one: "try WHAT ARG" says what came
// of an attempt.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "try" {
		runtime.GC() // its threads signal each other
		if err := attempts()[os.Args[2]](os.Args[3]); err != nil {
			fmt.Print(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// attempt lets a process try something, in a fence if there are rules. It
// returns what the process said, and whether it succeeded.
func attempt(t *testing.T, rules *fence.Rules, what, arg string) (string, bool) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	spec := process.Spec{Path: program, Args: []string{"try", what, arg}, Output: write, Dir: "/", Env: []string{"GORACE=atexit_sleep_ms=0"}}
	if rules != nil {
		with := rules.And(fence.Program(program))
		spec.Confine = with.Confine
	}
	p, err := process.Start(spec)
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	return string(said), p.Exit().Code == 0
}

// TestFence holds each attempt to be possible without a fence, and with it only
// where the rules say so.
func TestFence(t *testing.T) {
	kernel := fence.Probe()
	if !kernel.Confines() {
		t.Skipf("this machine's kernel cannot confine processes: %s", kernel)
	}
	dir := t.TempDir()
	file := func(path string) string {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	listen := func(network, addr string) string {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), network, addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.Addr().String()
	}
	open, closed := listen("tcp4", "127.0.0.1:0"), listen("tcp4", "127.0.0.1:0")
	mine, other := free(t), free(t)
	link := filepath.Join(dir, "own", "link")
	secret := file("neighbour/secret")
	file("own/data")
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	sleeper, err := process.Start(process.Spec{Path: "/bin/sleep", Args: []string{"600"}})
	if err != nil {
		t.Fatal(err)
	}
	defer sleeper.Stop(0)
	rules := fence.System().And(fence.Rules{
		Read: []string{filepath.Join(dir, "config"), filepath.Join(dir, "missing")}, Write: []string{filepath.Join(dir, "own")},
		Bind: []int{port(t, mine)}, Connect: []int{port(t, open)},
	})
	file("config/settings")
	for name, c := range map[string]struct {
		what, arg string
		allowed   bool
		needs     bool // of the kernel
	}{
		"own file":               {"read", file("own/file"), true, true},
		"own new file":           {"write", filepath.Join(dir, "own/new"), true, true},
		"own rename":             {"rename", file("own/old"), true, true},
		"own removal":            {"remove", file("own/gone"), true, true},
		"configuration":          {"read", filepath.Join(dir, "config/settings"), true, true},
		"change configuration":   {"write", filepath.Join(dir, "config/settings"), false, true},
		"neighbour's file":       {"read", secret, false, true},
		"through a link":         {"read", link, false, true},
		"neighbour's folder":     {"list", filepath.Join(dir, "neighbour"), false, true},
		"write at a neighbour's": {"write", filepath.Join(dir, "neighbour/new"), false, true},
		"home":                   {"list", "/root", false, os.Getuid() == 0},
		"environment of another": {"read", fmt.Sprintf("/proc/%d/environ", sleeper.Pid()), false, true},
		"device":                 {"read", "/dev/null", true, true},
		"shell":                  {"run", "/bin/sh", false, true},
		"own program":            {"run", file("own/program"), false, true},
		"open port":              {"tcp", open, true, true},
		"other port":             {"tcp", closed, false, kernel.Ports},
		"listen on its port":     {"listen", mine, true, true},
		"listen on another":      {"listen", other, false, kernel.Ports},
		"datagrams":              {"udp", closed, false, true},
		"raw packets":            {"raw", closed, false, os.Getuid() == 0},
		"netlink":                {"netlink", "-", false, true},
		"unix socket":            {"unix", listen("unix", filepath.Join(dir, "sock")), false, true},
		"fast open":              {"fastopen", closed, false, fastOpens()},
		"multipath":              {"multipath", closed, false, exists("/proc/sys/net/mptcp/enabled")},
		"signal":                 {"signal", strconv.Itoa(sleeper.Pid()), false, kernel.Signals},
	} {
		t.Run(name, func(t *testing.T) {
			if !c.needs {
				t.Skip("this machine cannot do it without a fence either")
			}
			if c.what != "rename" && c.what != "remove" { // these work once
				if said, ok := attempt(t, nil, c.what, c.arg); !ok {
					t.Fatalf("without a fence: %s", said)
				}
			}
			said, ok := attempt(t, &rules, c.what, c.arg)
			if ok != c.allowed {
				t.Errorf("in the fence: allowed is %v, want %v; %s", ok, c.allowed, said)
			}
			if !c.allowed && !strings.Contains(said, "permission denied") && !strings.Contains(said, "not permitted") {
				t.Errorf("in the fence: %s", said)
			}
		})
	}
}

// TestLinkOut mounts a folder of a volume that a pod has replaced with a link:
// a rule for it would open what the link names.
func TestLinkOut(t *testing.T) {
	if kernel := fence.Probe(); !kernel.Confines() {
		t.Skipf("this machine's kernel cannot confine processes: %s", kernel)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pods := filepath.Join(dir, "pods")
	if err := os.MkdirAll(filepath.Join(pods, "volume", "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(pods, "volume", "out")); err != nil {
		t.Fatal(err)
	}
	for path, fails := range map[string]bool{"volume/real": false, "volume/out": true, "volume/out/pods": true, "volume/none": false} {
		rules := fence.Rules{Run: []string{"/bin", "/usr", "/lib", "/lib64"}, Write: []string{filepath.Join(pods, path)}, Pods: pods}
		p, err := process.Start(process.Spec{Path: "/bin/true", Confine: fence.System().And(rules).Confine})
		if (err != nil) != fails || err != nil && !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("%s: %v", path, err)
		}
		if err == nil {
			p.Exit()
		}
	}
}

// TestOutward opens all ports to connections, and nothing else.
func TestOutward(t *testing.T) {
	if kernel := fence.Probe(); !kernel.Confines() {
		t.Skipf("this machine's kernel cannot confine processes: %s", kernel)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	rules := fence.System().And(fence.Rules{Outward: true})
	if said, ok := attempt(t, &rules, "tcp", listener.Addr().String()); !ok {
		t.Errorf("a connection: %s", said)
	}
	for _, what := range []string{"udp", "list"} {
		if _, ok := attempt(t, &rules, what, map[string]string{"udp": listener.Addr().String(), "list": t.TempDir()}[what]); ok {
			t.Errorf("%s is allowed, too", what)
		}
	}
}

// fastOpens reports whether a connection can be opened without connect(2).
func fastOpens() bool {
	raw, err := os.ReadFile("/proc/sys/net/ipv4/tcp_fastopen")
	n, parse := strconv.Atoi(strings.TrimSpace(string(raw)))
	return err == nil && parse == nil && n&1 != 0
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func port(t *testing.T, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOthersStayFree starts a process without a fence after one with it: the
// thread that was confined runs nothing else.
func TestOthersStayFree(t *testing.T) {
	if kernel := fence.Probe(); !kernel.Confines() {
		t.Skipf("this machine's kernel cannot confine processes: %s", kernel)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		rules := fence.System()
		if _, ok := attempt(t, &rules, "read", secret); ok {
			t.Fatal("in the fence it is readable")
		}
		if said, ok := attempt(t, nil, "read", secret); !ok {
			t.Fatalf("after a process in a fence, one without: %s", said)
		}
		if _, err := os.ReadFile(secret); err != nil {
			t.Fatalf("in this process: %v", err)
		}
	}
}

func TestKernelString(t *testing.T) {
	for want, k := range map[string]fence.Kernel{
		"this kernel has no Landlock":                     {},
		"Landlock 7 (files, TCP ports, signals), seccomp": {Landlock: 7, Ports: true, Signals: true, Sockets: true},
		"Landlock 3 (files), seccomp; TCP is open":        {Landlock: 3, Sockets: true},
	} {
		if got := k.String(); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
