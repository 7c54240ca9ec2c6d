package node

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// localPorts hands out free TCP ports on 127.0.0.1. They lie below the range
// that Linux (32768) and macOS (49152) take outgoing ports from, and below the
// node ports (30000): a port that a process lets go of for its restart is not
// taken by somebody's outgoing connection meanwhile.
type localPorts struct {
	mu    sync.Mutex
	next  int
	taken map[int]bool
}

const firstLocalPort, lastLocalPort = 20000, 29999

func newLocalPorts() *localPorts {
	// Clusters side by side start at different places.
	start := firstLocalPort + os.Getpid()*97%(lastLocalPort-firstLocalPort+1)
	return &localPorts{next: start, taken: map[int]bool{}}
}

// take returns a port that nobody listens on.
func (l *localPorts) take() (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range lastLocalPort - firstLocalPort + 1 {
		port := l.next
		if l.next++; l.next > lastLocalPort {
			l.next = firstLocalPort
		}
		if !l.taken[port] && isFree(port) {
			l.taken[port] = true
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d on 127.0.0.1: stop something that listens there", firstLocalPort, lastLocalPort)
}

func (l *localPorts) release(port int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.taken, port)
}

func isFree(port int) bool {
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// podIPs hands out pod addresses from 10.244.0.0/16. Nothing listens on them:
// they are the pods' names in Endpoints, which must not be loopback addresses.
type podIPs struct {
	mu    sync.Mutex
	next  netip.Addr
	owner map[netip.Addr]types.UID
}

func newPodIPs() *podIPs {
	return &podIPs{next: firstPodIP(), owner: map[netip.Addr]types.UID{}}
}

func firstPodIP() netip.Addr { return netip.AddrFrom4([4]byte{10, 244, 0, 2}) }

func podNetwork() netip.Prefix { return netip.PrefixFrom(firstPodIP(), 16).Masked() }

// take returns the pod's address: the wanted one if it is free, as after a
// restart of the node, and otherwise the next free one.
func (p *podIPs) take(uid types.UID, wanted string) (string, error) {
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

func (p *podIPs) release(uid types.UID, ip string) {
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
