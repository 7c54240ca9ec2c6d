// Package existing runs a demo on a cluster of the user, named by its context.
// It installs the demo only if no object of the cluster conflicts with it, and
// removes only the demo's objects. A port forwarder makes the Services
// available on this machine.
package existing

import (
	"bytes"
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
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/existing/internal/forward"
	"github.com/fluxdemo/fluxdemo/clusters/folder"
	"github.com/fluxdemo/fluxdemo/clusters/internal/logfile"
	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
)

// Provider is the name of this provider of clusters.
const Provider = "existing"

// patience is how long a cluster may take to answer. Some are far away.
const patience = 15 * time.Second

// Options is what Up needs to enter a cluster. One that was entered before
// keeps what it was entered with.
type Options struct {
	StateDir   string   // folder of all clusters; the cluster's is StateDir/Name
	Program    string   // path of the fluxdemo executable
	Kubeconfig string   // the user's, only read; empty for what kubectl would read
	Context    string   // name of the context in it
	Namespaces []string // that the demo is made of; their Services are forwarded
	// Adopt returns those of Namespaces that are there already and that the
	// demo uses as they are, or an error if what is there is in its way. It
	// is asked before anything is written.
	Adopt func(ctx context.Context, config *rest.Config) ([]string, error)
	// Fits returns an error if something on the cluster is in the demo's way.
	// It is asked before anything is written; adopted tells that Adopt has
	// returned a namespace.
	Fits func(ctx context.Context, config *rest.Config, adopted bool) error
	// Clean takes what the demo made off the cluster.
	Clean    func(ctx context.Context) error
	Children []string // what else is kept in the cluster's folder, and goes with it
}

// Cluster is one cluster that a demo is a guest on.
type Cluster struct {
	name    string
	dir     string
	folder  folder.Folder
	options Options
}

var _ clusters.Guest = (*Cluster)(nil)

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
		Children: append([]string{settingsName, inventoryName, kubeconfigName, forward.Folder}, others...),
		Unmarked: func(dir *os.Root) bool {
			raw, err := dir.ReadFile(settingsName)
			if err != nil {
				return false
			}
			if _, err := parseSettings(raw); err == nil {
				return true
			}
			// They are damaged; what was created tells as much.
			raw, err = dir.ReadFile(inventoryName)
			var first struct{ APIVersion, Kind, Name string }
			line, _, _ := bytes.Cut(raw, []byte("\n"))
			return err == nil && json.Unmarshal(line, &first) == nil && first.APIVersion != "" && first.Kind != "" && first.Name != ""
		},
	}
}

// settings is what is remembered of a cluster.
type settings struct {
	Context string `json:"context"`
	Server  string `json:"server"`
	// Adopted tells that a part of the demo was there before. The name on
	// disk is that of earlier versions.
	Adopted bool `json:"adoptFlux"`
	// Cluster is the UID of the namespace kube-system, which tells clusters
	// apart that answer at the same address. Earlier versions did not keep it.
	Cluster types.UID `json:"cluster,omitempty"`
}

// Names of the files in the cluster's folder.
const (
	settingsName   = "existing.json"
	inventoryName  = "inventory.jsonl" // what the demo has made on the cluster
	kubeconfigName = "kubeconfig"
)

func settingsFile(dir string) string { return filepath.Join(dir, settingsName) }

func loadSettings(dir string) (s settings, err error) {
	raw, err := os.ReadFile(settingsFile(dir))
	if err != nil {
		return s, err
	}
	if s, err = parseSettings(raw); err != nil {
		return s, fmt.Errorf("%s is damaged: %w; `fluxdemo down --name %s` removes the demo from the cluster", settingsFile(dir), err, filepath.Base(dir))
	}
	return s, nil
}

func parseSettings(raw []byte) (s settings, err error) {
	if err := json.Unmarshal(raw, &s); err != nil {
		return settings{}, err
	}
	if s.Context == "" || s.Server == "" {
		return settings{}, errors.New("it is incomplete")
	}
	return s, nil
}

func (s settings) save(dir string) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return statefile.Write(settingsFile(dir), raw, 0o600)
}

// Has reports whether the demo called name is a guest on an existing cluster.
func Has(stateDir, name string) bool {
	return newFolder(stateDir, name, nil).Has()
}

// Available implements clusters.Provider: there is a context to name.
func Available(context.Context) error {
	contexts, err := Contexts("")
	if err != nil {
		return err
	}
	if len(contexts) == 0 {
		return errors.New("your kubeconfig has no context; select one with --kubeconfig and --context")
	}
	return nil
}

// Dir implements clusters.Cluster.
func (c *Cluster) Dir() string { return c.dir }

// Kubeconfig implements clusters.Cluster: a copy of ours with the context
// and nothing else.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.dir, kubeconfigName) }

// Entered reports whether the demo is on the cluster already: there are
// settings, damaged or not.
func (c *Cluster) Entered() bool {
	if !c.folder.Has() {
		return false
	}
	_, err := os.Lstat(settingsFile(c.dir))
	return err == nil
}

// Adopted implements clusters.Guest. Where it cannot be read any more, it says
// so: what may be another's is let be.
func (c *Cluster) Adopted() bool {
	made, err := loadSettings(c.dir)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return made.Adopted
}

// Up implements clusters.Cluster. Until it has found the cluster fit, it
// writes nothing anywhere.
func (c *Cluster) Up(ctx context.Context, report clusters.Steps, answers func()) error {
	err := steps.RunUnnamed(ctx, report, steps.Sequence(
		steps.Step{Name: "Looking at the cluster", Do: c.enter},
		steps.Step{Name: "Port forwarding", Do: func(ctx context.Context) error {
			return forward.Start(ctx, forward.Options{
				Dir: c.dir, Kubeconfig: c.Kubeconfig(), Namespaces: c.options.Namespaces, Program: c.options.Program,
			})
		}},
	)...)
	if err != nil {
		return err
	}
	answers()
	return nil
}

// enter checks the cluster and makes its folder, if that is not there.
func (c *Cluster) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := c.folder.Owned(); err != nil {
		return err
	}
	made, err := loadSettings(c.dir)
	if err == nil {
		if err := c.folder.Claim(); err != nil {
			return err
		}
		if c.options.Context != "" && c.options.Context != made.Context {
			return fmt.Errorf("%q already uses the context %q; choose another name with --name, or remove it with `fluxdemo down`", c.name, made.Context)
		}
		if err := c.repairKubeconfig(made); err != nil {
			return err
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
	target, err := c.target()
	if err != nil {
		return err
	}
	adopt, uid, err := c.inspect(ctx, target)
	if err != nil {
		return err
	}
	if err := c.folder.Claim(); err != nil {
		return err
	}
	// The settings come last: they say that the rest is there.
	if err := target.write(c.Kubeconfig()); err != nil {
		return err
	}
	return settings{Context: target.Context, Server: target.Server, Adopted: adopt, Cluster: uid}.save(c.dir)
}

// repairKubeconfig takes the context from the user's kubeconfig once more, if
// the copy of it is damaged.
func (c *Cluster) repairKubeconfig(made settings) error {
	err := made.check(c.Kubeconfig())
	if err == nil {
		return nil
	}
	c.options.Context = made.Context
	target, failed := c.target()
	if failed == nil && target.Server != made.Server {
		failed = fmt.Errorf("your context %q now selects %s, and selected %s before", made.Context, target.Server, made.Server)
	}
	if failed != nil {
		return fmt.Errorf("%s is damaged (%w), and cannot be copied from your kubeconfig again: %w", c.Kubeconfig(), err, failed)
	}
	return target.write(c.Kubeconfig())
}

// check returns an error unless the kubeconfig at path has the context that
// the cluster was entered with, whole. Its end may be missing, which YAML does
// not tell.
func (s settings) check(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	config, err := clientcmd.Load(raw)
	if err != nil {
		return err
	}
	if err := clientcmd.ConfirmUsable(*config, s.Context); err != nil {
		return err
	}
	named := config.Contexts[s.Context]
	user := config.AuthInfos[named.AuthInfo]
	switch {
	case !bytes.HasSuffix(raw, []byte("\n")), config.CurrentContext != s.Context, user == nil, anonymous(user):
		return errors.New("its end is missing")
	case config.Clusters[named.Cluster].Server != s.Server:
		return fmt.Errorf("its server is not %s", s.Server)
	}
	return nil
}

// anonymous reports whether a user has no credentials at all.
func anonymous(user *clientcmdapi.AuthInfo) bool {
	return user.Token == "" && user.TokenFile == "" && user.Username == "" && user.Exec == nil && user.AuthProvider == nil &&
		user.ClientCertificate == "" && len(user.ClientCertificateData) == 0
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

// Down implements clusters.Cluster. With keepData the demo stays on the
// cluster, and only what runs on this machine ends.
func (c *Cluster) Down(ctx context.Context, keepData bool) error {
	if err := c.folder.Require(); err != nil {
		return err
	}
	if keepData {
		return forward.Stop(ctx, c.dir)
	}
	var table []steps.Step
	if c.Entered() {
		table = append(table, steps.Step{Name: "identity of the cluster", Do: func(ctx context.Context) error {
			if err := c.Verify(ctx); err != nil {
				return fmt.Errorf("%w; `fluxdemo down --keep-data` stops only what runs on this machine", err)
			}
			return nil
		}}, steps.Step{Name: "demo", Do: c.options.Clean})
	}
	// The folder goes last: it says what there is.
	table = append(table,
		steps.Step{Name: "port forwarding", Do: func(ctx context.Context) error { return forward.Stop(ctx, c.dir) }},
		steps.Step{Name: "folder", Do: func(context.Context) error {
			_, err := c.folder.Remove()
			return err
		}},
	)
	return steps.RunUnnamed(ctx, nil, steps.Sequence(table...)...)
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
