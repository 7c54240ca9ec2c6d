// Package supervisor is the process that an embedded cluster lives in: it
// keeps the control plane's processes running and has the virtual node and
// the network inside. It outlives the command that started it and takes
// orders on a loopback port, guarded by a token.
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

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/controlplane"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/network"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node"
	"github.com/fluxdemo/fluxdemo/clusters/image"
	"github.com/fluxdemo/fluxdemo/clusters/internal/detached"
)

// startDeadline is for everything from the first process to the ready node.
// A laptop that runs a video call beside it took 20 s.
const startDeadline = 90 * time.Second

// ErrRunning is returned by Run when another supervisor has the cluster.
var ErrRunning = errors.New("a supervisor is running for this cluster already")

// Options is what a supervisor is told when it starts.
type Options struct {
	Dir      string                           // the cluster's folder
	Bundle   *bundle.Bundle                   // verified
	Programs []image.Program                  // the pods that run as processes; all others are simulated
	Version  string                           // of fluxdemo
	Logf     func(format string, args ...any) // to LogFile
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
	progress *progress
	started  time.Time

	restarted bool // there is data of an earlier run

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
	keep, stop := context.WithCancel(background)
	within, stopInside := context.WithCancel(background)
	s.stop, s.stopInside = stop, stopInside

	run := func(u *unit) {
		s.progress.add(Step{Name: u.name, State: StepRunning})
		s.running.Go(func() {
			if err := u.run(keep); err != nil {
				fail(&startError{u.name, u.logFile, err})
			}
		})
	}
	run(s.etcd)
	run(s.api)
	runInside := func(part *inside, run func(context.Context) error) {
		s.running.Go(func() {
			if err := run(within); err != nil && within.Err() == nil {
				s.options.Logf("%s: %v", part.name, err)
				part.fail(err)
				fail(&startError{part.name, LogFile(s.options.Dir), err})
			}
		})
	}
	network, node := &inside{name: stepNetwork}, &inside{name: stepNode}
	s.inside = []*inside{network, node}
	runInside(network, s.network.Run)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.await(ctx, s.etcd, s.etcdAnswers); err != nil {
			return err
		}
		s.progress.add(Step{Name: s.etcd.name, State: StepDone})
		if err := s.await(ctx, s.api, s.apiServerAnswers("/version")); err != nil {
			return err
		}
		s.progress.add(Step{Name: s.api.name, State: StepDone})
		// Informers that find no server pause for a second or more.
		s.progress.add(Step{Name: stepNode, State: StepRunning})
		runInside(node, s.node.Run)
		// Started before /healthz is ok, they find it out and pause for
		// seconds (seen with 1.36.3).
		if err := s.await(ctx, s.api, s.apiServerAnswers("/healthz")); err != nil {
			return err
		}
		for _, u := range s.clients {
			run(u)
			s.progress.add(Step{Name: u.name, State: StepDone})
		}
		return nil
	})
	group.Go(func() error {
		select {
		case <-s.node.Ready():
			s.progress.add(Step{Name: stepNode, State: StepDone})
		case <-ctx.Done():
			return &startError{stepNode, LogFile(s.options.Dir), context.Cause(ctx)}
		}
		if !s.restarted {
			return nil
		}
		// Until the pods are up again the API shows how they were.
		s.progress.add(Step{Name: stepPods, State: StepRunning})
		select {
		case <-s.node.Settled():
			s.progress.add(Step{Name: stepPods, State: StepDone})
			return nil
		case <-ctx.Done():
			return &startError{stepPods, LogFile(s.options.Dir), context.Cause(ctx)}
		}
	})
	return group.Wait()
}

// Steps beside those that are named after components.
const (
	stepNetwork = "network"
	stepNode    = "node"
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
