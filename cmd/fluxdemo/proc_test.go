package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// proc is a running process, as /proc tells (proc(5)).
type proc struct {
	pid     int
	command string
}

func (p proc) String() string { return fmt.Sprintf("%d %s", p.pid, p.command) }

// processesIn lists the processes that have to do with a folder: it stands in
// their command line or environment, or they work in it.
func processesIn(dir string) []proc {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []proc
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		base := filepath.Join("/proc", entry.Name())
		command, _ := os.ReadFile(filepath.Join(base, "cmdline"))
		environ, _ := os.ReadFile(filepath.Join(base, "environ"))
		cwd, _ := os.Readlink(filepath.Join(base, "cwd"))
		if len(command) == 0 { // ended already, or the kernel's
			continue
		}
		if mentions(command, dir) || mentions(environ, dir) || strings.HasPrefix(cwd+"/", dir+"/") {
			found = append(found, proc{pid, strings.TrimSpace(string(bytes.ReplaceAll(command, []byte{0}, []byte{' '})))})
		}
	}
	return found
}

// mentions tells whether a list of strings, as /proc has them, names dir or
// something in it.
func mentions(list []byte, dir string) bool {
	return bytes.Contains(list, []byte(dir+"/")) || bytes.Contains(list, []byte(dir+"\x00"))
}

// gone returns an error as long as a process has to do with dir.
func gone(dir string) error {
	if left := processesIn(dir); len(left) > 0 {
		return fmt.Errorf("%d processes are left: %v", len(left), left)
	}
	return nil
}

// listens returns the TCP addresses on which a process listens.
func listens(pid int) (addrs []*net.TCPAddr, err error) {
	sockets := map[string]bool{} // by inode
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		target, _ := os.Readlink(link) // closed in the meantime
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			sockets[strings.TrimSuffix(inode, "]")] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		file, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			return nil, err
		}
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			const listen = "0A"
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != listen || !sockets[fields[9]] {
				continue
			}
			addr, err := parseAddr(fields[1])
			if err != nil {
				return nil, err
			}
			addrs = append(addrs, addr)
		}
	}
	return addrs, nil
}

// parseAddr reads "0100007F:1F90": 32-bit words in the machine's byte order,
// which is little endian wherever Go runs on Linux laptops, and a port.
func parseAddr(s string) (*net.TCPAddr, error) {
	words, port, ok := strings.Cut(s, ":")
	raw, err := hex.DecodeString(words)
	if err != nil || !ok || len(raw)%4 != 0 {
		return nil, fmt.Errorf("no address: %q", s)
	}
	for i := 0; i < len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return nil, err
	}
	return &net.TCPAddr{IP: raw, Port: int(number)}, nil
}
