package supervisor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/controlplane"
)

const (
	// answerTime is how long a part of the cluster may take to answer.
	answerTime = 2 * time.Second
	// lookEvery is how often the supervisor asks all parts, so that it knows
	// since when one does not answer.
	lookEvery = 10 * time.Second
	// heartbeatAge is how old the node's last heartbeat may be: one that is due,
	// and one that is late.
	heartbeatAge = 30 * time.Second
)

// StateSilent is the state of a part that has a process, which does not answer.
const StateSilent = "NotAnswering"

// liveness knows which parts of the cluster answer. That a process is there says
// little: it may be stopped, starved, or deadlocked. The zero value knows of none
// that does not answer.
type liveness struct {
	client *http.Client

	mu     sync.Mutex
	silent map[string]silence
	last   map[string]time.Time // when each part answered last
}

// silence is a part that does not answer.
type silence struct {
	since time.Time // of the last answer; zero if there was none
	err   error
}

// trust makes the client for servers with certificates of the cluster's CA.
func (l *liveness) trust(caFile string) error {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	l.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	return nil
}

// record takes what came of asking a part.
func (l *liveness) record(part string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silent == nil {
		l.silent, l.last = map[string]silence{}, map[string]time.Time{}
	}
	if err == nil {
		l.last[part] = time.Now()
		delete(l.silent, part)
		return
	}
	l.silent[part] = silence{since: l.last[part], err: err}
}

// of returns how a part was when it was asked last.
func (l *liveness) of(part string) (silence, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, is := l.silent[part]
	return s, is
}

// watch asks all parts from time to time, until ctx ends.
func (s *Supervisor) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		s.look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look asks all parts side by side.
func (s *Supervisor) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	checks := map[string]func(context.Context) error{
		s.etcd.name: s.etcdAnswers,
		s.api.name:  s.apiServerAnswers("/livez"),
		stepNetwork: s.proxyAnswers,
	}
	for _, u := range s.clients {
		if u.port != 0 {
			checks[u.name] = func(ctx context.Context) error {
				return s.liveness.get(ctx, fmt.Sprintf("https://127.0.0.1:%d", u.port))
			}
		}
	}
	var group sync.WaitGroup
	for part, ask := range checks {
		group.Go(func() {
			if err := ask(ctx); ctx.Err() != context.Canceled {
				s.liveness.record(part, err)
			}
		})
	}
	group.Wait()
	s.lookAtNode()
}

// lookAtNode reports a node without heartbeats, unless nobody takes them.
func (s *Supervisor) lookAtNode() {
	if _, silent := s.liveness.of(s.api.name); silent {
		return
	}
	beat := s.node.Heartbeat()
	var err error
	if age := time.Since(beat).Round(time.Second); age > heartbeatAge {
		err = fmt.Errorf("its last heartbeat was %s ago", age)
	}
	s.liveness.record(stepNode, err)
}

// get asks a server for its health.
func (l *liveness) get(ctx context.Context, server string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := l.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// proxyAnswers asks the pods' proxy for a page that it has not. Any answer will
// do.
func (s *Supervisor) proxyAnswers(ctx context.Context) error {
	at := fmt.Sprintf("127.0.0.1:%d", s.options.ProxyPort)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+"/healthz", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// apply changes the state of components that run and do not answer. A part
// that only fails because another one does keeps its state.
func (l *liveness) apply(all []Component) {
	_, noStore := l.of(controlplane.Etcd)
	for i := range all {
		c := &all[i]
		s, silent := l.of(c.Name)
		switch {
		case !silent || c.State != "Running":
		case noStore && c.Name != controlplane.Etcd:
			c.LastExit = "it waits for etcd"
		default:
			c.State, c.Silent, c.LastExit = StateSilent, s.since, reason(s.err)
		}
	}
}

// reason is a short text for why something did not answer.
func reason(err error) string {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Sprintf("no answer within %s", answerTime)
	}
	return err.Error()
}

// heal ends the processes that do not answer, and that start again then. It
// returns their names.
func (s *Supervisor) heal(ctx context.Context) []string {
	s.look(ctx)
	names := []string{}
	for _, c := range s.components() {
		if c.State != StateSilent {
			continue
		}
		i := slices.IndexFunc(s.units(), func(u *unit) bool { return u != nil && u.name == c.Name })
		if i < 0 {
			continue // a part of this process
		}
		s.options.Logf("%s does not answer (%s): restarting it", c.Name, c.LastExit)
		s.units()[i].restart()
		names = append(names, c.Name)
	}
	return append(names, s.node.RestartSilent(ctx, answerTime)...)
}

// units are the processes of the control plane.
func (s *Supervisor) units() []*unit { return append([]*unit{s.etcd, s.api}, s.clients...) }
