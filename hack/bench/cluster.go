package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// cluster is a cluster of its own, an embedded one unless upArgs say otherwise: nothing of it is shared with
// another one, or with what the user runs.
type cluster struct {
	o    options
	temp string // holds everything below
	home string // XDG_STATE_HOME
	name string
	env  []string
	runs bool // up has been called since the last down

	upArgs []string
}

// newCluster prepares a cluster that has never existed. close ends it. Its
// cache is empty too, so that the first up verifies the bundle byte by byte,
// as on a machine that has never seen it.
func newCluster(o options, name string) (*cluster, error) {
	temp, err := os.MkdirTemp("", "fluxdemo-bench-")
	if err != nil {
		return nil, err
	}
	c := &cluster{o: o, temp: temp, home: filepath.Join(temp, "state"), name: "bench-" + name, upArgs: []string{"--cluster", "embedded"}}
	c.env = append(os.Environ(),
		"XDG_STATE_HOME="+c.home,
		"XDG_CACHE_HOME="+filepath.Join(temp, "cache"),
		"FLUXDEMO_BUNDLE="+o.bundle,
	)
	c.env = append(c.env, gitEnv()...)
	return c, nil
}

// gitEnv keeps what the user has configured for git out of the measurement.
func gitEnv() []string {
	return []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_TERMINAL_PROMPT=0"}
}

// dir is the cluster's own folder.
func (c *cluster) dir() string { return filepath.Join(c.home, "fluxdemo", c.name) }

func (c *cluster) kubeconfig() string { return filepath.Join(c.dir(), "kubeconfig") }

// fluxdemo runs the program with the cluster's name and returns how long it
// took and what it printed on stdout.
func (c *cluster) fluxdemo(ctx context.Context, args ...string) (time.Duration, []byte, error) {
	took, out, _, err := c.narrated(ctx, args...)
	return took, out, err
}

// narrated is as fluxdemo, and returns what the command says of its progress as well.
func (c *cluster) narrated(ctx context.Context, args ...string) (took time.Duration, data, progress []byte, err error) {
	cmd := exec.CommandContext(ctx, c.o.fluxdemo, append(args, "--name", c.name)...)
	cmd.Env = c.env
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	took, data, err = timed(ctx, cmd, &out, &errOut)
	return took, data, errOut.Bytes(), err
}

// timed runs a command. Ctrl-C reaches it through ctx and not through the
// terminal, so that this program decides what is ended, and when.
func timed(ctx context.Context, cmd *exec.Cmd, out, errOut *bytes.Buffer) (time.Duration, []byte, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if ctx.Err() != nil {
		return took, nil, context.Cause(ctx)
	}
	if err != nil {
		return took, out.Bytes(), fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, errOut.String())
	}
	return took, out.Bytes(), nil
}

// upTimeout is far above every target: what takes this long has failed.
const upTimeout = 3 * time.Minute

func (c *cluster) up(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, upTimeout, fmt.Errorf("up is not done after %s", upTimeout))
	defer cancel()
	c.runs = true
	took, _, err := c.fluxdemo(ctx, append([]string{"up"}, c.upArgs...)...)
	return took, err
}

func (c *cluster) down(ctx context.Context, args ...string) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("down is not done after a minute"))
	defer cancel()
	took, _, err := c.fluxdemo(ctx, append([]string{"down"}, args...)...)
	c.runs = c.runs && err != nil
	return took, err
}

// close brings the cluster down if it may be up and removes all of it, even
// if ctx has ended.
func (c *cluster) close(ctx context.Context) error {
	var err error
	if c.runs {
		_, err = c.down(context.WithoutCancel(ctx))
	}
	if err != nil {
		// Without its folder the cluster could not be removed later.
		return fmt.Errorf("a cluster may be left in %s: %w", c.home, err)
	}
	return os.RemoveAll(c.temp)
}

// closing calls close and adds its error to *err.
func (c *cluster) closing(ctx context.Context, err *error) {
	*err = errors.Join(*err, c.close(ctx))
}
