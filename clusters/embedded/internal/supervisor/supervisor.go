// Package supervisor is the process of an embedded cluster: it keeps the
// control plane's processes running, and contains the virtual node and the
// network. It outlives the command that started it, and takes requests with a
// token on a loopback port.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/controlplane"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/network"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/reservation"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/storage"
	"github.com/fluxdemo/fluxdemo/clusters/image"
	"github.com/fluxdemo/fluxdemo/clusters/internal/detached"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
)

// startDeadline is for everything from the first process to the ready node.
// A laptop that runs a video call beside it took 20 s.
const startDeadline = 90 * time.Second

// ErrRunning is returned by Run when another supervisor has the cluster.
var ErrRunning = errors.New("this cluster already has a running supervisor")

// Options are the settings of a supervisor.
type Options struct {
	Dir      string                           // the cluster's folder
	Bundle   *bundle.Bundle                   // verified
	Programs []image.Program                  // the pods that run as processes; all others are simulated
	Version  string                           // of fluxdemo
	Logf     func(format string, args ...any) // to LogFile
	NoFence  bool                             // do not confine pods
	Settings
}

// Supervisor runs one cluster.
type Supervisor struct {
	options  Options
	client   kubernetes.Interface
	etcd     *unit
	api      *unit   // the API server
	clients  []*unit // of the API server: started after it, ended before it
	inside   []*inside
	node     *node.Node
	network  *network.Network
	storage  *storage.Controller
	reserved *reservation.Port // the API server's port; nil until prepare
	progress *progress
	liveness liveness
	started  time.Time

	restarted  bool // there is data of an earlier run
	sharedPort bool // the API server's port can be reserved

	stop       context.CancelFunc // ends the control plane's restarts
	stopInside context.CancelFunc // ends the node and the network
	running    sync.WaitGroup
}

// Run starts the cluster and runs it until ctx ends or a client says down.
// listening is called once clients can connect.
func Run(ctx context.Context, o Options, listening func()) error {
	runDir := filepath.Join(o.Dir, controlplane.RunDir)
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return err
	}
	// Sockets have relative names; see controlplane.Config.
	if err := os.Chdir(runDir); err != nil {
		return err
	}
	// Two supervisors on one etcd folder would destroy it.
	release, err := Process(o.Dir).Hold(ctx)
	switch {
	case errors.Is(err, detached.ErrHeld):
		return ErrRunning
	case err != nil:
		return fmt.Errorf("locking the cluster: %w", err)
	}
	defer release()

	s := &Supervisor{options: o, progress: newProgress(), started: time.Now()}
	control, err := s.listen()
	if err != nil {
		return err
	}
	defer control.close()
	defer func() {
		if s.reserved != nil {
			s.reserved.Release()
		}
	}()
	listening()

	if err := s.start(ctx); err != nil {
		s.shutdown()
		s.progress.add(failure(err))
		control.downDone()
		control.awaitTold()
		control.drain()
		return err
	}
	s.progress.add(Step{State: StepDone})
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	go s.watch(watching)
	select {
	case <-ctx.Done():
		s.shutdown()
	case <-control.down:
		s.shutdown()
		control.downDone()
	}
	control.drain()
	return nil
}

// start brings everything up and returns when the cluster can take pods.
func (s *Supervisor) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if err := s.prepare(); err != nil {
		return err
	}
	background := context.Background() // all of this outlives start; shutdown ends it
	restarts, stop := context.WithCancel(background)
	parts, stopInside := context.WithCancel(background)
	s.stop, s.stopInside = stop, stopInside
	network, node, storage := &inside{name: stepNetwork}, &inside{name: stepNode}, &inside{name: stepStorage}
	s.inside = []*inside{network, node, storage}

	const healthy = "health of the API server"
	table := []steps.Step{
		{Name: s.etcd.name, Do: func(ctx context.Context) error {
			s.keep(restarts, s.etcd, fail)
			return s.await(ctx, s.etcd, s.etcdAnswers)
		}},
		{Name: stepNetwork, Hidden: true, Do: func(context.Context) error {
			s.within(parts, network, s.network.Run, fail)
			return nil
		}},
		// It starts beside etcd. While etcd does not answer, it cannot: etcd is at fault then.
		{Name: s.api.name, Do: func(ctx context.Context) error {
			s.keep(restarts, s.api, fail)
			if err := s.await(ctx, s.etcd, s.etcdAnswers); err != nil {
				return err
			}
			return s.await(ctx, s.api, s.apiServerAnswers("/version"))
		}},
		// Informers that find no server pause for a second or more.
		{Name: stepNode, Needs: []string{s.api.name}, Do: func(ctx context.Context) error {
			s.within(parts, node, s.node.Run, fail)
			return s.awaitNode(ctx, stepNode, s.node.Ready())
		}},
		// Started before /healthz is ok, the others find it out and pause for
		// seconds (seen with 1.36.3).
		{Name: healthy, Hidden: true, Needs: []string{s.api.name}, Do: func(ctx context.Context) error {
			return s.await(ctx, s.api, s.apiServerAnswers("/healthz"))
		}},
		{Name: stepStorage, Hidden: true, Needs: []string{healthy}, Do: func(context.Context) error {
			s.within(parts, storage, s.storage.Run, fail)
			return nil
		}},
	}
	for _, u := range s.clients {
		table = append(table, steps.Step{Name: u.name, Needs: []string{healthy}, Do: func(context.Context) error {
			s.keep(restarts, u, fail)
			return nil
		}})
	}
	if s.restarted {
		// Until the pods are up again the API shows how they were.
		table = append(table, steps.Step{Name: stepPods, Needs: []string{stepNode}, Do: func(ctx context.Context) error {
			return s.awaitNode(ctx, stepPods, s.node.Settled())
		}})
	}
	return steps.RunUnnamed(ctx, s.progress, table...)
}

// keep keeps a component of the control plane running until ctx ends. It calls fail if the component cannot be started.
func (s *Supervisor) keep(ctx context.Context, u *unit, fail context.CancelCauseFunc) {
	s.running.Go(func() {
		if err := u.run(ctx); err != nil {
			fail(&startError{u.name, u.logFile, err})
		}
	})
}

// within runs a part of the cluster in this process until ctx ends. It calls fail if the part ends before.
func (s *Supervisor) within(ctx context.Context, part *inside, run func(context.Context) error, fail context.CancelCauseFunc) {
	s.running.Go(func() {
		if err := run(ctx); err != nil && ctx.Err() == nil {
			s.options.Logf("%s: %v", part.name, err)
			part.fail(err)
			fail(&startError{part.name, LogFile(s.options.Dir), err})
		}
	})
}

// awaitNode returns when the node closes reached, which a step of that name waits for.
func (s *Supervisor) awaitNode(ctx context.Context, step string, reached <-chan struct{}) error {
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return &startError{step, LogFile(s.options.Dir), context.Cause(ctx)}
	}
}

// Steps beside those that are named after components.
const (
	stepNetwork = "network"
	stepNode    = "node"
	stepStorage = "storage"
	stepPods    = "pods of last time"
)

// startError is a failed start with the component at fault.
type startError struct {
	component string
	log       string
	err       error
}

func (e *startError) Error() string { return fmt.Sprintf("%s: %v", e.component, e.err) }

func (e *startError) Unwrap() error { return e.err }

// failure is the last news of a failed start.
func failure(err error) Step {
	step := Step{State: StepFailed, Message: err.Error()}
	var at *startError
	if errors.As(err, &at) {
		step.Log = at.log
	}
	return step
}

// givesUp is how often a component may end before it has answered once.
// What is wrong with its flags or its data does not heal.
const givesUp = 4

// await returns when answers does not fail any more. There is nothing to
// watch before a server answers, so it asks every 20 ms.
func (s *Supervisor) await(ctx context.Context, u *unit, answers func(context.Context) error) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		if now := u.status(); now.Restarts >= givesUp {
			return &startError{u.name, u.logFile, fmt.Errorf("it ended %d times: %s", now.Restarts, now.LastExit)}
		}
		select {
		case <-ctx.Done():
			return &startError{u.name, u.logFile, fmt.Errorf("%w; last answer: %w", context.Cause(ctx), err)}
		case <-ticker.C:
		}
	}
}

// etcdAnswers asks etcd for its health over its unix socket.
func (s *Supervisor) etcdAnswers(ctx context.Context) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", controlplane.EtcdSocket)
		},
	}}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://etcd/health", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd's health: %s", response.Status)
	}
	return nil
}

// apiServerAnswers returns a function that asks the API server for path.
func (s *Supervisor) apiServerAnswers(path string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return s.client.Discovery().RESTClient().Get().AbsPath(path).Do(ctx).Error()
	}
}

// shutdown ends everything: pods first, since they talk to the API server
// and through the network; etcd last and gently, since it has the data.
func (s *Supervisor) shutdown() {
	if s.stop == nil {
		return // nothing was started
	}
	s.stop()
	s.stopInside()
	var group sync.WaitGroup
	for _, u := range s.clients {
		group.Go(func() { u.stop(0) })
	}
	group.Wait()
	s.running.Wait()
	s.api.stop(0) // stateless
	s.etcd.stop(2 * time.Second)
}

// Process is the supervisor of the cluster in dir, as seen from outside.
func Process(dir string) detached.Process {
	return detached.Process{
		Name: "supervisor", Verb: "supervise",
		Lock: filepath.Join(dir, controlplane.RunDir, "supervisor.lock"), Log: LogFile(dir),
	}
}

// LogFile is the supervisor's own log, the first file of the cluster in dir.
func LogFile(dir string) string { return filepath.Join(dir, LogDir, "supervisor.log") }
