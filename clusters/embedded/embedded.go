// Package embedded runs a cluster without a container engine: real etcd,
// kube-apiserver, kube-controller-manager, and kube-scheduler as processes of
// the user, and one virtual node whose pods are processes too. A detached
// supervisor keeps them running. This package starts, queries, and stops it.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/controlplane"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/supervisor"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/pki"
	"github.com/fluxdemo/fluxdemo/clusters/environ"
	"github.com/fluxdemo/fluxdemo/clusters/folder"
	"github.com/fluxdemo/fluxdemo/clusters/internal/detached"
	"github.com/fluxdemo/fluxdemo/clusters/internal/logfile"
)

// Provider is the name of this provider of clusters.
const Provider = "embedded"

// Options is what Up needs to create a cluster. A cluster that exists keeps
// what it was created with.
type Options struct {
	StateDir    string   // folder of all clusters; the cluster's is StateDir/Name
	Stamp       string   // file that remembers that the bundle was verified
	Program     string   // path of the fluxdemo executable
	BundleDir   string   // where the bundle is; empty to look for it
	Port        int      // of the API server; 0 for any free one
	AllowEgress bool     // let pods reach the world
	NoFence     bool     // do not confine pods, until the cluster is stopped
	Children    []string // what else is kept in the cluster's folder, and goes with it
}

// Cluster is one embedded cluster.
type Cluster struct {
	name    string
	dir     string
	folder  folder.Folder
	options Options
}

var _ clusters.Cluster = (*Cluster)(nil)

// New returns the cluster called name.
func New(name string, o Options) (*Cluster, error) {
	if err := clusters.CheckName(name); err != nil {
		return nil, err
	}
	mine := newFolder(o.StateDir, name, o.Children)
	return &Cluster{name: name, dir: mine.Dir, folder: mine, options: o}, nil
}

// newFolder returns the folder of the cluster called name. others is what
// else is kept in it.
func newFolder(stateDir, name string, others []string) folder.Folder {
	return folder.Folder{
		Dir:      filepath.Join(stateDir, name),
		Provider: Provider,
		Children: append([]string{
			supervisor.SettingsFile, supervisor.Kubeconfig, supervisor.PKIDir, supervisor.NodeDir, supervisor.LogDir,
			controlplane.RunDir, controlplane.EtcdDir, probeFile,
		}, others...),
		Unmarked: func(dir *os.Root) bool {
			raw, err := dir.ReadFile(supervisor.SettingsFile)
			if err == nil {
				_, err = supervisor.ParseSettings(raw)
			}
			if err == nil {
				return true
			}
			raw, err = dir.ReadFile(filepath.Join(supervisor.PKIDir, pki.CAName))
			return err == nil && pki.IsCA(raw)
		},
	}
}

// probeFile is written and removed to see whether the folder has room.
const probeFile = ".probe"

// Dir implements clusters.Cluster.
func (c *Cluster) Dir() string { return c.dir }

// Kubeconfig implements clusters.Cluster.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.dir, supervisor.Kubeconfig) }

// Up implements clusters.Cluster.
func (c *Cluster) Up(ctx context.Context, report clusters.Steps, answers func()) error {
	if err := c.folder.Claim(); err != nil {
		return err
	}
	client, status, err := c.reach(ctx, report)
	restart := errors.Is(err, supervisor.ErrUnreachable) ||
		err == nil && (c.options.AllowEgress && !status.Settings.AllowEgress || c.options.NoFence && !status.NoFence || hasFailed(status))
	if restart {
		// What the running supervisor does not hear, or cannot do, the next
		// one does on the same data.
		if errors.Is(err, supervisor.ErrHung) {
			if err := supervisor.Process(c.dir).Kill(0); err != nil {
				return err
			}
		}
		if err := c.Down(ctx, true); err != nil {
			return err
		}
		err = supervisor.ErrNotRunning
	}
	if err == nil && status.Ready {
		if err := c.repair(ctx, client, status, report); err != nil {
			return err
		}
		answers()
		return nil
	}
	fresh := !exists(filepath.Join(c.dir, supervisor.SettingsFile)) && !exists(filepath.Join(c.dir, controlplane.EtcdDir))
	if err := c.start(ctx, report, answers); err != nil {
		var failed *clusters.LogError
		if errors.As(err, &failed) {
			failed.ReadTail()
		}
		if fresh && ctx.Err() == nil {
			if down := c.Down(context.WithoutCancel(ctx), false); down != nil && !errors.Is(down, clusters.ErrNotFound) {
				err = errors.Join(err, down)
			}
		}
		return err
	}
	return nil
}

// hasFailed reports whether something has failed that only another supervisor
// can start again.
func hasFailed(status supervisor.Status) bool {
	return slices.ContainsFunc(status.Components, func(c supervisor.Component) bool { return c.State == supervisor.StateFailed })
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// start starts a supervisor, unless one is starting already, and follows it
// until the cluster is up.
func (c *Cluster) start(ctx context.Context, report clusters.Steps, answers func()) error {
	client, _, err := supervisor.Dial(ctx, c.dir)
	if err != nil {
		if err := c.prepare(); err != nil {
			return err
		}
		if err := c.launch(ctx); err != nil {
			return err
		}
		if client, _, err = supervisor.Dial(ctx, c.dir); err != nil {
			return &clusters.LogError{Err: fmt.Errorf("talking to the supervisor: %w", err), Log: supervisor.LogFile(c.dir)}
		}
	}
	ends := map[string]func(error){}
	err = client.Progress(ctx, func(step supervisor.Step) {
		switch {
		case step.State == supervisor.StepRunning:
			ends[step.Name] = report.Start(step.Name)
		case ends[step.Name] != nil:
			ends[step.Name](nil)
			delete(ends, step.Name)
			if step.Name == controlplane.APIServer {
				answers()
			}
		}
	})
	for _, end := range ends {
		end(err)
	}
	var failed *supervisor.StartError
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case !errors.As(err, &failed):
		return &clusters.LogError{Err: err, Log: supervisor.LogFile(c.dir)}
	case failed.Log == "":
		return err
	}
	return &clusters.LogError{Err: fmt.Errorf("starting the cluster: %w", err), Log: failed.Log}
}

// prepare checks what would otherwise fail late and obscurely.
func (c *Cluster) prepare() error {
	const advice = "choose another folder with XDG_STATE_HOME"
	if _, err := supervisor.LoadSettings(c.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Join(c.dir, supervisor.LogDir), 0o700); err != nil {
		return fmt.Errorf("cannot write the state folder: %w; %s", err, advice)
	}
	probe := filepath.Join(c.dir, probeFile)
	if err := os.WriteFile(probe, []byte("probe"), 0o600); err != nil {
		return fmt.Errorf("cannot write the state folder: %w; free some space or %s", err, advice)
	}
	if err := os.Remove(probe); err != nil {
		return fmt.Errorf("cannot write the state folder: %w", err)
	}
	return enoughRoom(c.dir)
}

// launch starts the detached supervisor and returns when it takes requests.
func (c *Cluster) launch(ctx context.Context) error {
	b, err := bundle.Find(c.options.BundleDir)
	if err != nil {
		return err
	}
	if err := b.Verify(c.options.Stamp); err != nil {
		return err
	}
	args := []string{"--dir=" + c.dir, "--bundle=" + b.Dir}
	if c.options.AllowEgress {
		args = append(args, "--allow-egress")
	}
	if c.options.NoFence {
		args = append(args, "--no-fence")
	}
	if c.options.Port != 0 {
		args = append(args, fmt.Sprintf("--port=%d", c.options.Port))
	}
	return supervisor.Process(c.dir).Start(ctx, detached.Command{Program: c.options.Program, Args: args, Env: c.environ()})
}

// environ is the supervisor's environment. Only a cluster whose pods may
// reach the internet hears of the user's proxies.
func (c *Cluster) environ() environ.Environ {
	settings, err := supervisor.LoadSettings(c.dir)
	if c.options.AllowEgress || err == nil && settings.AllowEgress {
		return environ.Outbound(os.Environ())
	}
	return environ.Base(os.Environ())
}

// Down implements clusters.Cluster.
func (c *Cluster) Down(ctx context.Context, keepData bool) error {
	if err := c.folder.Require(); err != nil {
		return err
	}
	client, _, err := c.patient(ctx)
	var unanswered error
	switch {
	case err == nil:
		// One that is ending anyway may not answer; what counts is its end.
		if unanswered = client.Down(ctx); unanswered != nil && ctx.Err() == nil {
			_ = supervisor.Process(c.dir).Kill(0) // if it still runs, awaitEnd says so
		}
	case errors.Is(err, supervisor.ErrHung):
		// It hears no request to end: its own children end with it.
		if failed := supervisor.Process(c.dir).Kill(0); failed != nil {
			return fmt.Errorf("%w; %w", err, failed)
		}
	case errors.Is(err, supervisor.ErrUnreachable):
		if failed := supervisor.Process(c.dir).End(0); failed != nil {
			return fmt.Errorf("%w; %w", err, failed)
		}
	case !errors.Is(err, supervisor.ErrNotRunning):
		return err
	}
	if err := c.awaitEnd(ctx); err != nil {
		return errors.Join(err, unanswered)
	}
	node.EndLeftovers(filepath.Join(c.dir, supervisor.NodeDir))
	if keepData {
		return nil
	}
	_, err = c.folder.Remove()
	return err
}

// awaitEnd returns when no supervisor has the cluster: one that was asked to
// go down holds its lock until it has ended.
func (c *Cluster) awaitEnd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	process := supervisor.Process(c.dir)
	ended, err := process.AwaitEnd(ctx)
	if err != nil {
		return fmt.Errorf("waiting for the cluster's supervisor to end: %w", err)
	}
	if !ended {
		return fmt.Errorf("the cluster's supervisor (process %d) does not stop: kill it, then run `fluxdemo down` again", process.PID())
	}
	return nil
}

// URL implements clusters.Cluster. It gives no URL for a port that another
// program has, which would receive passwords for the demo.
func (c *Cluster) URL(ctx context.Context, nodePort int32) (string, error) {
	pid := 0
	if _, status, err := supervisor.Dial(ctx, c.dir); err == nil {
		pid = status.PID
	}
	if stranger(nodePort, pid) {
		return "", fmt.Errorf("another program has port %d of 127.0.0.1, where a Service of the demo is to answer: end that program; the cluster then takes the port", nodePort)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", nodePort), nil
}

// Logs implements clusters.Cluster.
func (c *Cluster) Logs(ctx context.Context, component string, follow bool, out io.Writer) error {
	path := filepath.Join(c.dir, supervisor.LogDir, filepath.Base(component)+".log")
	return logfile.Follow(ctx, path, follow, out)
}
