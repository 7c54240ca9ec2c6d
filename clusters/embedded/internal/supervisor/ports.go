package supervisor

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/reservation"
	"github.com/fluxdemo/fluxdemo/clusters/internal/conns"
)

// A cluster has a block of ports for itself. Who listens on the first of them
// has the block: clusters that start at the same moment, of several users of
// the machine, never share one. All blocks lie below the range from which Linux
// (32768) and macOS (49152) take the ports of outgoing connections, so that a
// port is still free a moment later, and after the crash of who had it.
const (
	firstBlock, lastBlock = 30000, 32600
	blockSize             = 100
	blocks                = (lastBlock-firstBlock)/blockSize + 1
	// The first is the supervisor's own; then come those of the API server and
	// of the pods' proxy, and spare ones, in case that another program has one
	// of these after a restart. The rest is for Services.
	ownPorts = 10
)

// claim returns the supervisor's own listener, and with it takes hold of the
// cluster's block of ports: that of last time, or if another program has its
// first port by now, and for a new cluster, any free one. The ports that the
// cluster has already stay. others are the settings of this user's other
// clusters, which may be stopped. If there is no block, the listener has any
// port.
func (s *Settings) claim(others []Settings) (net.Listener, error) {
	if s.Block != 0 {
		awaitFree(s.Block)
		if listener, err := listen(s.Block); err == nil {
			return listener, nil
		}
		s.Block = 0
	}
	taken := []int{blockOf(s.Port), blockOf(s.firstNodePort())}
	for _, other := range others {
		taken = append(taken, other.Block, blockOf(other.Port), blockOf(other.firstNodePort()))
	}
	for first := firstBlock; first <= lastBlock; first += blockSize {
		if slices.Contains(taken, first) {
			continue
		}
		listener, err := listen(first)
		if err != nil {
			continue
		}
		if restFree(first) {
			s.Block = first
			return listener, nil
		}
		listener.Close()
	}
	return listen(0)
}

// findPorts fills in the ports that are not known yet or are taken by now, from
// the block that claim has found.
func (s *Settings) findPorts() error {
	if s.NodePorts != "" { // there was a last time
		awaitFree(s.Port, s.ProxyPort)
	}
	if s.FixedPort && !conns.Free(s.Port) {
		return fmt.Errorf("port %d is in use; free it, or choose another one with --port", s.Port)
	}
	if s.Port == 0 || !conns.Free(s.Port) {
		s.Port = s.spare()
	}
	if s.ProxyPort == 0 || !conns.Free(s.ProxyPort) {
		s.ProxyPort = s.spare()
	}
	if s.NodePorts == "" && s.Block != 0 {
		s.NodePorts = fmt.Sprintf("%d-%d", s.Block+ownPorts, s.Block+blockSize-1)
	}
	if s.Port == 0 || s.ProxyPort == 0 || s.NodePorts == "" {
		return fmt.Errorf("no block of %d free ports between %d and %d on 127.0.0.1; remove clusters that you no longer need with `fluxdemo down`",
			blockSize, firstBlock, lastBlock+blockSize-1)
	}
	return nil
}

// reservePort keeps the API server's port from other programs, also while the
// API server restarts. It tells if the port is not before, that of last time.
func (s *Supervisor) reservePort(before int) {
	port := s.options.Port
	if before != 0 && before != port {
		s.progress.Start(fmt.Sprintf("port %d for the API server, as another program has %d", port, before))(nil)
		s.options.Logf("another program has port %d: the API server has port %d now", before, port)
	}
	reserved, err := reservation.Take(port)
	s.reserved = reserved
	s.sharedPort = !errors.Is(err, reservation.ErrUnsupported)
	if err != nil && s.sharedPort {
		s.options.Logf("%v; this is tried again", err)
	}
}

// lostPort returns the port of a component that another program has taken, so
// that the component cannot start again; 0 if there is none. now is its state.
func (s *Supervisor) lostPort(u *unit, now Component) int {
	switch {
	case now.State != stateRestarting || u.port == 0 || conns.Free(u.port) || u == s.api && s.reserved.Held():
		return 0
	}
	return u.port
}

// spare returns a free port of the block that is not for Services, nor one of
// others; 0 if there is none.
func (s *Settings) spare(others ...int) int {
	if s.Block == 0 {
		return 0
	}
	for port := s.Block + 1; port < s.Block+ownPorts; port++ {
		if port != s.Port && port != s.ProxyPort && !slices.Contains(others, port) && conns.Free(port) {
			return port
		}
	}
	return 0
}

// number tells the cluster from all others that run on this machine. It is less
// than blocks.
func (s *Settings) number() int { return max(0, s.Block-firstBlock) / blockSize }

// inBlock reports whether a port lies in the block of any cluster.
func inBlock(port int) bool { return port >= firstBlock && port < lastBlock+blockSize }

// blockOf returns the first port of the block that a port lies in.
func blockOf(port int) int { return port - port%blockSize }

// restFree reports whether all ports of a block but the first are free.
func restFree(first int) bool {
	for port := first + 1; port < first+blockSize; port++ {
		if !conns.Free(port) {
			return false
		}
	}
	return true
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

// awaitFree gives the processes of last time up to two seconds to let go of
// their ports: after a crash of the supervisor they may just be ending. The
// end of other parents' processes cannot be watched.
func awaitFree(ports ...int) {
	limit := time.NewTimer(2 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, port := range ports {
		for !conns.Free(port) {
			select {
			case <-tick.C:
			case <-limit.C:
				return
			}
		}
	}
}
