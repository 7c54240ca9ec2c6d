// Package kind runs a cluster in containers, with kind as a library: real
// nodes, real images, a real network. It adds what the library does not do:
// cancellation, a restart of a stopped cluster, images without a registry, and
// NodePorts that answer on this machine.
package kind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/folder"
	"github.com/fluxdemo/fluxdemo/clusters/image"
	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
)

// Provider is the name of this provider of clusters.
const Provider = "kind"

// Options is what Up needs to create a cluster. A cluster that exists keeps
// what it was created with.
type Options struct {
	StateDir  string   // folder of all clusters; the cluster's is StateDir/Name
	NodeImage string   // empty for kind's own
	Config    string   // path of a kind configuration to start from; empty for none
	Port      int      // of the API server; 0 for any free one
	Retain    bool     // keep the nodes of a start that failed or was interrupted
	Official  bool     // leave the images of others to their registry
	Children  []string // what else is kept in the cluster's folder, and goes with it
	// Images returns what the nodes get before anything is run on them;
	// official is what Options.Official was when the cluster was created.
	Images func(ctx context.Context, official bool) ([]image.Image, error)
}

// Cluster is one kind cluster.
type Cluster struct {
	name    string
	dir     string
	folder  folder.Folder
	options Options

	mu    sync.Mutex
	found *engine // once it has answered
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
		Children: append([]string{settingsFile, ownerFolder, logFolder, kubeconfigFile, kubeconfigFile + lockEnding}, others...),
		Unmarked: func(dir *os.Root) bool {
			owner, err := dir.Stat(ownerFolder)
			if err != nil || !owner.IsDir() {
				return false
			}
			for _, name := range []string{settingsFile, filepath.Join(logFolder, logName)} {
				if file, err := dir.Stat(name); err == nil && file.Mode().IsRegular() {
					return true
				}
			}
			return false
		},
	}
}

// Dir implements clusters.Cluster.
func (c *Cluster) Dir() string { return c.dir }

// Kubeconfig implements clusters.Cluster.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.dir, kubeconfigFile) }

// engine returns the container engine, which is looked for once.
func (c *Cluster) engine(ctx context.Context) (engine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found == nil {
		e, err := findEngine(ctx)
		if err != nil {
			return engine{}, err
		}
		c.found = &e
	}
	return *c.found, nil
}

// Up implements clusters.Cluster.
func (c *Cluster) Up(ctx context.Context, report clusters.Steps, answers func()) error {
	e, nodes, err := c.look(ctx)
	if err != nil {
		return err
	}
	if err := c.claim(len(nodes) > 0); err != nil {
		return err
	}
	made, err := loadSettings(c.dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case len(nodes) == 0:
		return c.create(ctx, e, made, report, answers)
	case err != nil:
		// A start was interrupted, so the state of the nodes is unknown.
		if err := c.remove(ctx, e); err != nil {
			return err
		}
		return c.create(ctx, e, made, report, answers)
	}
	return c.resume(ctx, e, nodes, made, report, answers)
}

// resume brings nodes that are there, running or not, to where all of their work is done. made is what they were
// made with.
func (c *Cluster) resume(ctx context.Context, e engine, nodes []node, made settings, report clusters.Steps, answers func()) error {
	var table []steps.Step
	if slices.ContainsFunc(nodes, func(n node) bool { return !n.running() }) {
		// Stopped by `down --keep-data`, with the machine, or killed.
		table = append(table, steps.Step{Name: "Starting nodes", Do: func(ctx context.Context) (err error) {
			if err := c.start(ctx, e, nodes); err != nil {
				return err
			}
			nodes, err = c.nodes(ctx, e)
			return err
		}})
	}
	table = append(table,
		steps.Step{Name: "kubeconfig", Hidden: true, Do: func(ctx context.Context) error {
			e.wake(ctx, nodes) // a `down` may have been cut off
			return c.export(e)
		}},
		steps.Step{Name: "API server", Hidden: true, Do: c.awaitAPI},
		steps.Step{Name: "leases", Hidden: true, Do: func(ctx context.Context) error { return c.freeLeases(ctx, nodes) }},
		steps.Step{Name: "images", Hidden: true, Do: func(ctx context.Context) error { return c.load(ctx, e, made, report) }},
		steps.Step{Name: "pods", Hidden: true, Do: func(ctx context.Context) error { return c.awaitTruth(ctx, nodes, report) }},
		steps.Step{Name: "nodes", Hidden: true, Do: c.awaitNodes},
		steps.Step{Name: "services", Hidden: true, Do: func(ctx context.Context) error { return c.awaitServices(ctx, e) }},
		steps.Step{Name: "proxy", Hidden: true, Do: func(ctx context.Context) error { return c.awaitProxy(ctx, e) }},
		steps.Step{Name: "control plane", Hidden: true, Do: func(ctx context.Context) error {
			answers()
			return c.awaitControlPlane(ctx)
		}},
	)
	// One after the other: each looks at what the one before has brought up.
	return steps.RunUnnamed(ctx, report, steps.Sequence(table...)...)
}

// claim makes the cluster's folder its own. Nodes of the cluster name the
// folder: then it is, whatever is in it.
func (c *Cluster) claim(nodes bool) error {
	mine := c.folder
	if nodes {
		mine.Unmarked = func(*os.Root) bool { return true }
	}
	return mine.Claim()
}

// start starts nodes that are stopped. The folder that marks them has to be
// there, whatever became of it.
func (c *Cluster) start(ctx context.Context, e engine, nodes []node) error {
	if err := os.MkdirAll(ownerDir(c.dir), 0o700); err != nil {
		return err
	}
	if err := e.start(ctx, nodes); err != nil {
		return err
	}
	if err := c.export(e); err != nil {
		return err
	}
	return c.awaitAPI(ctx)
}

// look returns the container engine, and the cluster's nodes as nodes does.
func (c *Cluster) look(ctx context.Context) (engine, []node, error) {
	e, err := c.engine(ctx)
	if err != nil {
		return e, nil, err
	}
	nodes, err := c.nodes(ctx, e)
	return e, nodes, err
}

// nodes returns the cluster's nodes, running or not. It fails if another
// program created them.
func (c *Cluster) nodes(ctx context.Context, e engine) ([]node, error) {
	nodes, err := e.nodes(ctx, c.name)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if !n.ownedBy(ownerDir(c.dir)) {
			return nil, fmt.Errorf("the kind cluster %q exists, and fluxdemo did not create it from this state folder; choose another name with --name", c.name)
		}
	}
	return nodes, nil
}

// ownedBy reports whether a node has the mark of the cluster with that folder.
// A load balancer, which kind adds for several control planes, has none.
func (n node) ownedBy(owner string) bool {
	if n.Config.Labels[roleLabel] == "external-load-balancer" {
		return true
	}
	real, err := filepath.EvalSymlinks(owner)
	if err != nil {
		real = owner
	}
	for _, mount := range n.Mounts {
		// An engine in a virtual machine puts a folder of its own before.
		if mount.Destination == ownerMount && (strings.HasSuffix(mount.Source, owner) || strings.HasSuffix(mount.Source, real)) {
			return true
		}
	}
	return false
}

const (
	kubeconfigFile = "kubeconfig"
	logFolder      = "logs"
	logName        = "kind.log"
	// lockEnding is that of the file which kind's library makes while it
	// writes a kubeconfig, and takes for another process's if it is there.
	lockEnding = ".lock"
)

// export writes the cluster's kubeconfig, whatever is there. The port of the
// API server may be another one than last time.
func (c *Cluster) export(e engine) error {
	content, err := kindcluster.NewProvider(e.provider()).KubeConfig(c.name, false)
	if err == nil {
		err = statefile.Write(c.Kubeconfig(), []byte(content), 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing the cluster's kubeconfig: %w", err)
	}
	return nil
}

// forgetKubeconfig removes the kubeconfig before kind's library writes to it,
// which neither replaces a damaged one nor takes over the lock of a process
// that was killed.
func (c *Cluster) forgetKubeconfig() error {
	for _, path := range []string{c.Kubeconfig(), c.Kubeconfig() + lockEnding} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the cluster's kubeconfig: %w", err)
		}
	}
	return nil
}

// remove removes the nodes by kind's label, half-made ones too. It does so
// even if ctx has ended.
func (c *Cluster) remove(ctx context.Context, e engine) error {
	ctx = context.WithoutCancel(ctx)
	nodes, err := c.nodes(ctx, e)
	if err != nil {
		return err
	}
	e.calm(ctx, nodes)
	if err := c.forgetKubeconfig(); err != nil {
		return err
	}
	if err := kindcluster.NewProvider(e.provider()).Delete(c.name, c.Kubeconfig()); err != nil {
		return fmt.Errorf("removing the cluster's nodes: %w", err)
	}
	return nil
}

// Down implements clusters.Cluster.
func (c *Cluster) Down(ctx context.Context, keepData bool) error {
	owned, foreign := c.folder.Owned()
	e, err := c.engine(ctx)
	if err != nil {
		return errors.Join(foreign, err)
	}
	nodes, err := c.nodes(ctx, e)
	switch {
	case err != nil:
		return err
	case len(nodes) == 0 && foreign != nil:
		return foreign
	case len(nodes) == 0 && !owned:
		return fmt.Errorf("%w: %s", clusters.ErrNotFound, c.name)
	}
	if keepData {
		if len(nodes) == 0 {
			return fmt.Errorf("the nodes of the cluster %q are gone, so there are no data to keep; `fluxdemo up` creates the cluster again", c.name)
		}
		e.calm(ctx, nodes)
		return e.stop(ctx, nodes)
	}
	// The nodes say whose the folder is: it has to know when they are gone.
	if err := c.claim(len(nodes) > 0); err != nil && len(nodes) == 0 {
		return err
	}
	if err := c.remove(ctx, e); err != nil {
		return err
	}
	_, err = c.folder.Remove()
	return err
}

// Has reports whether there is a cluster of this provider called name, running or
// not, in the folder of all clusters.
func Has(stateDir, name string) bool {
	return newFolder(stateDir, name, nil).Has()
}

// URL implements clusters.Cluster.
func (c *Cluster) URL(ctx context.Context, nodePort int32) (string, error) {
	_, nodes, err := c.look(ctx)
	if err != nil {
		return "", err
	}
	for _, n := range nodes {
		if address, ok := n.hostPort(nodePort); ok {
			return "http://" + address, nil
		}
	}
	return "", fmt.Errorf("NodePort %d is not mapped to a port of this machine; `fluxdemo down` and `fluxdemo up` create the cluster again", nodePort)
}
