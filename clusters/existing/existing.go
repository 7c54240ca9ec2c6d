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

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

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
	// Fits returns an error if something on the cluster is in the demo's way.
	// It is asked before anything is written; adopted tells that Flux was
	// there before.
	Fits func(ctx context.Context, config *rest.Config, adopted bool) error
	// Clean takes what the demo made off the cluster.
	Clean func(ctx context.Context) error
}

// Cluster is one cluster that a demo is a guest on.
type Cluster struct {
	name    string
	dir     string
	options Options
}

var (
	_ clusters.Guest = (*Cluster)(nil)
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
	// Cluster is the UID of the namespace kube-system, which tells clusters
	// apart that answer at the same address. Earlier versions did not keep it.
	Cluster types.UID `json:"cluster,omitempty"`
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
		if err := c.Verify(ctx); err != nil || made.Cluster != "" {
			return err
		}
		if made.Cluster, err = identity(ctx, c.Kubeconfig()); err != nil {
			return err
		}
		return made.save(c.dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	target, err := c.Target()
	if err != nil {
		return err
	}
	adopt, uid, err := c.inspect(ctx, target)
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
	return settings{Context: target.Context, Server: target.Server, AdoptFlux: adopt, Cluster: uid}.save(c.dir)
}

// IdentityError says that another cluster answers where the demo's was.
type IdentityError struct {
	Context string
	Was, Is types.UID
	Dir     string // the demo's folder
}

func (e *IdentityError) Error() string {
	return fmt.Sprintf("another cluster answers at the address of the context %q (its kube-system is %s, and the demo's was %s): nothing was changed; bring the demo's cluster back or, if it is gone for good, remove %s",
		e.Context, e.Is, e.Was, e.Dir)
}

// Verify returns an error if the cluster does not answer, and an
// *IdentityError if it is another one than the demo was put on.
func (c *Cluster) Verify(ctx context.Context) error {
	made, err := loadSettings(c.dir)
	if err != nil {
		return err
	}
	uid, err := identity(ctx, c.Kubeconfig())
	if err != nil {
		return fmt.Errorf("the cluster of the context %q does not answer: %w", made.Context, err)
	}
	if made.Cluster != "" && made.Cluster != uid {
		return &IdentityError{Context: made.Context, Was: made.Cluster, Is: uid, Dir: c.dir}
	}
	return nil
}

// identity returns the UID of the namespace kube-system.
func identity(ctx context.Context, kubeconfig string) (types.UID, error) {
	clients, err := connect(kubeconfig)
	if err != nil {
		return "", err
	}
	return clients.identity(ctx)
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
	if err := c.Verify(ctx); err != nil {
		return fmt.Errorf("%w; `fluxdemo down --keep-data` ends only what runs on this machine", err)
	}
	if err := c.options.Clean(ctx); err != nil {
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
