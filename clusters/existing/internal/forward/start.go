package forward

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/environ"
	"github.com/fluxdemo/fluxdemo/clusters/internal/detached"
)

const (
	startTime = 20 * time.Second
	stopTime  = 5 * time.Second
	portTime  = 10 * time.Second // for a Service that was just created
)

// Start starts a forwarder in the background, unless one runs. One that runs
// and whose state is damaged is started anew.
func Start(ctx context.Context, o Options) error {
	_, running, err := Status(ctx, o.Dir)
	if running && err == nil {
		return nil
	}
	if err := Stop(ctx, o.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(folder(o.Dir), 0o700); err != nil {
		return err
	}
	return process(o.Dir).Start(ctx, detached.Command{
		Program:  o.Program,
		Args:     []string{"--dir=" + o.Dir, "--kubeconfig=" + o.Kubeconfig, "--namespaces=" + strings.Join(o.Namespaces, ",")},
		Env:      environ.Guest(os.Environ()), // how to reach the cluster, and its credential plugin
		Patience: startTime,
	})
}

// stateTime is how long a forwarder takes to write its state, or to end, at
// most.
const stateTime = 2 * time.Second

// Status reports whether a forwarder runs, and returns its state. It is an error
// if the state of one that runs cannot be read.
func Status(ctx context.Context, dir string) (s State, running bool, err error) {
	patience := time.NewTimer(stateTime)
	defer patience.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if running, err = process(dir).Runs(); err != nil || !running {
			return State{}, false, err
		}
		if s, err = readState(dir); err == nil {
			return s, true, nil
		}
		// It may be about to write it, or to end.
		select {
		case <-ctx.Done():
			return State{}, true, ctx.Err()
		case <-patience.C:
			return State{}, true, err
		case <-tick.C:
		}
	}
}

// Stop ends the forwarder, if one runs, and returns when it has ended.
func Stop(ctx context.Context, dir string) error {
	p := process(dir)
	running, err := p.Runs()
	if err != nil {
		return fmt.Errorf("looking for the port forwarder: %w", err)
	}
	if !running {
		return nil
	}
	state, _ := readState(dir) // unknown if it is damaged
	if err := p.End(state.PID); err != nil {
		return fmt.Errorf("stopping the port forwarder: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	ended, err := p.AwaitEnd(ctx)
	if err != nil {
		return fmt.Errorf("waiting for the port forwarder to stop: %w", err)
	}
	if !ended {
		return fmt.Errorf("the port forwarder (process %d) does not stop: kill it, then run the same command again", p.PID())
	}
	return nil
}

// Port returns the port of this machine that leads to a NodePort. The
// forwarder may still have to hear of a Service that was just created.
func Port(ctx context.Context, dir string, nodePort int32) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, portTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		state, running, err := Status(ctx, dir)
		switch {
		case err != nil:
			return 0, err
		case !running:
			return 0, errors.New("the port forwarder is not running; `fluxdemo up` starts it")
		}
		if port := state.Ports[nodePort]; port != 0 {
			return port, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("NodePort %d is not forwarded; forwarded: %v: %w", nodePort, state.numbers(), ctx.Err())
		case <-tick.C:
		}
	}
}
