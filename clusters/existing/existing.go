// Package existing runs a demo on a cluster that is there already and belongs
// to somebody: named by its context, entered only when it is free of what
// would be in the way, and left as it was found. Services answer on this
// machine through a port forwarder of its own.
package existing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/existing/forward"
	"github.com/fluxdemo/fluxdemo/clusters/logfile"
)

// Kind is the name of this kind of cluster.
const Kind = "existing"

// patience is how long a cluster may take to answer. Some are far away.
const patience = 15 * time.Second

// Options is what Up needs to enter a cluster. One that was entered before
// keeps what it was entered with.
type Options struct {
	StateDir   string   // folder of all clusters; the cluster's is StateDir/Name
	Program    string   // path of the fluxdemo executable
	Kubeconfig string   // the user's, only read; empty for what kubectl would read
	Context    string   // name of the context in it
	AdoptFlux  bool     // use the Flux that runs there already
	Namespaces []string // that the demo is made of; their Services are forwarded
	Flux       string   // that of Namespaces in which Flux runs
}

// Cluster is one cluster that a demo is a guest on.
type Cluster struct {
	name    string
	dir     string
	options Options
}

var (
	_ clusters.Guest    = (*Cluster)(nil)
	_ clusters.Recorder = (*Cluster)(nil)
)

// New returns the cluster called name.
func New(name string, o Options) (*Cluster, error) {
	if err := clusters.CheckName(name); err != nil {
		return nil, err
	}
	return &Cluster{name: name, dir: filepath.Join(o.StateDir, name), options: o}, nil
}

// settings is what is remembered of a cluster.
type settings struct {
	Context   string `json:"context"`
	Server    string `json:"server"`
	AdoptFlux bool   `json:"adoptFlux"` // Flux was there before
}

func settingsFile(dir string) string { return filepath.Join(dir, "existing.json") }

func loadSettings(dir string) (s settings, err error) {
	raw, err := os.ReadFile(settingsFile(dir))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("reading %s: %w", settingsFile(dir), err)
	}
	return s, nil
}

func (s settings) save(dir string) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(settingsFile(dir), raw, 0o600)
}

// Has tells whether the demo called name is a guest on an existing cluster.
func Has(stateDir, name string) bool {
	_, err := os.Stat(settingsFile(filepath.Join(stateDir, name)))
	return err == nil
}

// Available implements clusters.Kind: there is a context to name.
func Available(context.Context) error {
	contexts, err := Contexts("")
	if err != nil {
		return err
	}
	if len(contexts) == 0 {
		return errors.New("your kubeconfig has no context; --kubeconfig and --context name one")
	}
	return nil
}

// Dir implements clusters.Cluster.
func (c *Cluster) Dir() string { return c.dir }

// Kubeconfig implements clusters.Cluster: a copy of ours with the context
// and nothing else.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.dir, "kubeconfig") }

// Entered tells whether the demo is on the cluster already.
func (c *Cluster) Entered() bool { return Has(filepath.Dir(c.dir), c.name) }

// AdoptedFlux tells whether Flux was on the cluster before the demo.
func (c *Cluster) AdoptedFlux() bool {
	made, err := loadSettings(c.dir)
	return err == nil && made.AdoptFlux
}

// Up implements clusters.Cluster. Until it has found the cluster fit, it
// writes nothing anywhere.
func (c *Cluster) Up(ctx context.Context, steps clusters.Steps, answers func()) error {
	if err := step(steps, "Looking at the cluster", func() error { return c.enter(ctx) }); err != nil {
		return err
	}
	if err := step(steps, "Port forwarding", func() error {
		return forward.Start(ctx, forward.Options{
			Dir: c.dir, Kubeconfig: c.Kubeconfig(), Namespaces: c.options.Namespaces, Program: c.options.Program,
		})
	}); err != nil {
		return err
	}
	answers()
	return nil
}

// enter checks the cluster and makes its folder, if that is not there.
func (c *Cluster) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	made, err := loadSettings(c.dir)
	if err == nil {
		if c.options.Context != "" && c.options.Context != made.Context {
			return fmt.Errorf("%q is on the context %q already; choose another name with --name, or remove it with `fluxdemo down`", c.name, made.Context)
		}
		return c.awaitAPI(ctx)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	target, err := c.Target()
	if err != nil {
		return err
	}
	adopt, err := c.inspect(ctx, target)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("cannot write the state folder: %w; choose another one with XDG_STATE_HOME", err)
	}
	// The settings come last: they say that the rest is there.
	if err := target.write(c.Kubeconfig()); err != nil {
		return err
	}
	return settings{Context: target.Context, Server: target.Server, AdoptFlux: adopt}.save(c.dir)
}

// awaitAPI returns when the API server answers.
func (c *Cluster) awaitAPI(ctx context.Context) error {
	clients, err := connect(c.Kubeconfig())
	if err != nil {
		return err
	}
	if err := clients.answers(ctx); err != nil {
		return fmt.Errorf("the cluster does not answer: %w", err)
	}
	return nil
}

// step does work and shows it.
func step(steps clusters.Steps, name string, work func() error) error {
	end := steps.Start(name)
	err := work()
	end(err)
	return err
}

// Down implements clusters.Cluster. With keepData the demo stays on the
// cluster, and only what runs on this machine ends.
func (c *Cluster) Down(ctx context.Context, keepData bool) error {
	if !c.Entered() {
		return fmt.Errorf("%w: %s", clusters.ErrNotFound, c.name)
	}
	if keepData {
		return forward.Stop(ctx, c.dir)
	}
	if err := c.remove(ctx); err != nil {
		return err
	}
	if err := forward.Stop(ctx, c.dir); err != nil {
		return err
	}
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("removing the cluster's folder: %w", err)
	}
	return nil
}

// URL implements clusters.Cluster.
func (c *Cluster) URL(ctx context.Context, nodePort int32) (string, error) {
	port, err := forward.Port(ctx, c.dir, nodePort)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("http://127.0.0.1:%d", port), nil
}

// Logs implements clusters.Cluster: the log of the port forwarder, which is
// the only part that runs on this machine.
func (c *Cluster) Logs(ctx context.Context, component string, follow bool, out io.Writer) error {
	if component != forward.Component {
		return fmt.Errorf("there is no component %q; `fluxdemo status` lists them", component)
	}
	return logfile.Follow(ctx, forward.LogFile(c.dir), follow, out)
}
