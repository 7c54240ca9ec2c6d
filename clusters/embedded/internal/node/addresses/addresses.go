// Package addresses hands out what pods on the virtual node are reached at:
// local ports for their containers' ports, and IP addresses, which are names
// alone.
package addresses

import (
	"fmt"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fluxdemo/fluxdemo/clusters/internal/conns"
)

// Ports hands out free TCP ports on 127.0.0.1. They lie below the range
// that Linux (32768) and macOS (49152) take outgoing ports from, and below the
// node ports (30000): a port that a process lets go of for its restart is not
// taken by an outgoing connection meanwhile.
type Ports struct {
	mu    sync.Mutex
	next  int
	taken map[int]bool
}

const firstLocalPort, lastLocalPort = 20000, 29999

// NewPorts returns the ports of one of several clusters, which begin at
// different places: what is free would be taken by another before the process
// that is to have it listens.
func NewPorts(cluster, clusters int) *Ports {
	share := (lastLocalPort - firstLocalPort + 1) / max(1, clusters)
	return &Ports{next: firstLocalPort + cluster*share, taken: map[int]bool{}}
}

// Take returns a free port.
func (l *Ports) Take() (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range lastLocalPort - firstLocalPort + 1 {
		port := l.next
		if l.next++; l.next > lastLocalPort {
			l.next = firstLocalPort
		}
		if !l.taken[port] && conns.Free(port) {
			l.taken[port] = true
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d on 127.0.0.1: stop a program that listens there", firstLocalPort, lastLocalPort)
}

// Release gives a port back.
func (l *Ports) Release(port int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.taken, port)
}

// IPs hands out pod addresses from 10.244.0.0/16. Nothing listens on them:
// they are the pods' names in Endpoints, which must not be loopback addresses.
type IPs struct {
	mu    sync.Mutex
	next  netip.Addr
	owner map[netip.Addr]types.UID
}

// NewIPs returns the addresses of one cluster.
func NewIPs() *IPs {
	return &IPs{next: firstPodIP(), owner: map[netip.Addr]types.UID{}}
}

func firstPodIP() netip.Addr { return netip.AddrFrom4([4]byte{10, 244, 0, 2}) }

func podNetwork() netip.Prefix { return netip.PrefixFrom(firstPodIP(), 16).Masked() }

// Take returns the pod's address: the wanted one if it is free, as after a
// restart of the node, and otherwise the next free one.
func (p *IPs) Take(uid types.UID, wanted string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if addr, err := netip.ParseAddr(wanted); err == nil && podNetwork().Contains(addr) {
		if owner, used := p.owner[addr]; !used || owner == uid {
			p.owner[addr] = uid
			return addr.String(), nil
		}
	}
	for range 1 << 16 {
		addr := p.next
		p.next = p.next.Next()
		if !podNetwork().Contains(p.next) {
			p.next = firstPodIP()
		}
		if _, used := p.owner[addr]; !used {
			p.owner[addr] = uid
			return addr.String(), nil
		}
	}
	return "", fmt.Errorf("no free pod address in %s: delete some pods", podNetwork())
}

// Release gives an address back, if it is that pod's.
func (p *IPs) Release(uid types.UID, ip string) {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.owner[addr] == uid {
		delete(p.owner, addr)
	}
}
