//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// startIn starts cmd in the network namespace whose file is path, where ip
// netns and nsenter find it. A namespace that is not there is made: it has a
// loopback device and nothing else, so that it is isolated.
func startIn(path string, cmd *exec.Cmd) error {
	done := make(chan error, 1)
	go func() {
		// The thread stays locked and ends with the goroutine: no other goroutine
		// may get one that is in another namespace.
		runtime.LockOSThread()
		done <- func() error {
			if err := join(path); errors.Is(err, fs.ErrNotExist) {
				if err := create(path); err != nil {
					return err
				}
			} else if err != nil {
				return err
			}
			return cmd.Start()
		}()
	}()
	return <-done
}

// enter moves this thread, for good, into the namespace whose file is path.
func enter(path string) error {
	runtime.LockOSThread()
	return join(path)
}

func join(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		// What an unclean end left of a namespace is a plain file.
		if errors.Is(err, unix.EINVAL) {
			return errors.Join(fs.ErrNotExist, os.Remove(path))
		}
		return fmt.Errorf("entering the network namespace %s: %w", path, err)
	}
	return nil
}

// create moves this thread into a new namespace and gives it a name.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("making a network namespace: %w", err)
	}
	if err := os.WriteFile(path, nil, 0o444); err != nil {
		return err
	}
	own := fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())
	if err := unix.Mount(own, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("naming the network namespace: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("bringing up the loopback device: %w", err)
	}
	return nil
}

// loopbackUp brings up lo, which is down in a new namespace; see netdevice(7).
func loopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(request)))
	if errno != 0 {
		return errno
	}
	return nil
}

// removeNamespace takes the namespace's name away; the kernel removes it
// when no process is in it any more.
func removeNamespace(path string) error {
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmounting %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Remove(filepath.Dir(path)) // stays if it holds others
	return nil
}
