package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	kindexec "sigs.k8s.io/kind/pkg/exec"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/internal/conns"
	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
)

// settings is what a cluster was made with. Its file is written when the
// nodes are complete.
type settings struct {
	NodeImage string `json:"nodeImage,omitempty"` // empty if a configuration names them
	Official  bool   `json:"official"`
}

const settingsFile = "kind.json"

// loadSettings reads what the cluster in dir was made with; it is
// fs.ErrNotExist if it was not made to the end.
func loadSettings(dir string) (settings, error) {
	var s settings
	raw, err := os.ReadFile(filepath.Join(dir, settingsFile))
	if err != nil {
		return s, err
	}
	if s, err = parseSettings(raw); err != nil {
		return s, fmt.Errorf("%s in %s is damaged: %w; `fluxdemo down --name %s` removes the cluster", settingsFile, dir, err, filepath.Base(dir))
	}
	return s, nil
}

func parseSettings(raw []byte) (s settings, err error) {
	// Official is always there, and is what tells these settings from others.
	read := struct {
		*settings
		Official *bool `json:"official"`
	}{settings: &s}
	if err := json.Unmarshal(raw, &read); err != nil {
		return settings{}, err
	}
	if read.Official == nil {
		return settings{}, errors.New("it is incomplete")
	}
	s.Official = *read.Official
	return s, nil
}

func (s settings) save(dir string) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return statefile.Write(filepath.Join(dir, settingsFile), append(raw, '\n'), 0o600)
}

// create makes the cluster, and removes what there is of it if that fails or
// ctx ends, unless it is to be retained. before is what a cluster of this
// name was made with that is gone.
func (c *Cluster) create(ctx context.Context, e engine, before settings, report clusters.Steps, answers func()) (err error) {
	config, made, err := c.config(before)
	if err != nil {
		return err
	}
	if port := c.options.Port; port != 0 && !conns.Free(port) {
		return fmt.Errorf("port %d is in use; free it, or choose another one with --port", port)
	}
	defer func() {
		if err == nil || c.options.Retain {
			return
		}
		var failed *clusters.LogError
		if errors.As(err, &failed) {
			failed.ReadTail()
		}
		err = errors.Join(err, c.remove(ctx, e))
		if _, left := c.folder.Remove(); left != nil {
			err = errors.Join(err, left)
		}
	}()
	if err := c.forgetKubeconfig(); err != nil {
		return err
	}
	for _, dir := range []string{ownerDir(c.dir), filepath.Dir(c.logFile())} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("cannot write the state folder: %w; choose another folder with XDG_STATE_HOME", err)
		}
	}
	const (
		nodeImages = "node images"
		nodes      = "nodes"
		containerd = "containerd of the nodes"
		images     = "images"
		remember   = "settings"
		network    = "Node and its network"
	)
	up := make(chan struct{}) // closed once the nodes run what images are put into
	once := sync.OnceFunc(func() { close(up) })
	err = steps.RunUnnamed(ctx, report,
		steps.Step{Name: nodeImages, Hidden: true, Do: func(ctx context.Context) error { return c.ensureImages(ctx, e, config, report) }},
		steps.Step{Name: nodes, Hidden: true, Needs: []string{nodeImages}, Do: func(ctx context.Context) error {
			err := c.runKind(ctx, e, config, report, func(name string) {
				if strings.HasPrefix(name, "Starting control-plane") {
					once()
				}
			})
			if err == nil {
				once()
			}
			return err
		}},
		// The nodes' containerd runs before Kubernetes does: images get in
		// while the control plane starts.
		steps.Step{Name: containerd, Hidden: true, Needs: []string{nodeImages}, Do: func(ctx context.Context) error {
			select {
			case <-up:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}},
		steps.Step{Name: images, Hidden: true, Needs: []string{containerd}, Do: func(ctx context.Context) error { return c.load(ctx, e, made, report) }},
		steps.Step{Name: remember, Hidden: true, Needs: []string{nodes, images}, Do: func(context.Context) error {
			if err := made.save(c.dir); err != nil {
				return fmt.Errorf("cannot write the state folder: %w", err)
			}
			return nil
		}},
		steps.Step{Name: network, Needs: []string{remember}, Do: func(ctx context.Context) error {
			if err := c.awaitNodes(ctx); err != nil {
				return err
			}
			return c.awaitServices(ctx, e)
		}},
	)
	if err != nil {
		return err
	}
	answers()
	return nil
}

// config returns the configuration to make the cluster with, and what has
// to be remembered of it.
func (c *Cluster) config(before settings) (*v1alpha4.Cluster, settings, error) {
	config := &v1alpha4.Cluster{}
	if c.options.Config != "" {
		var err error
		if config, err = readConfig(c.options.Config); err != nil {
			return nil, settings{}, err
		}
	}
	made := settings{NodeImage: c.options.NodeImage, Official: c.options.Official || before.Official}
	if made.NodeImage == "" && c.options.Config == "" {
		made.NodeImage = before.NodeImage
	}
	complete(config, ownerDir(c.dir), c.options.Port)
	for i := range config.Nodes {
		switch n := &config.Nodes[i]; {
		case made.NodeImage != "":
			n.Image = made.NodeImage
		case n.Image == "":
			n.Image = defaults.Image
		}
	}
	return config, made, nil
}

// ensureImages pulls the node images that are not there. kind would too, but
// could not be interrupted.
func (c *Cluster) ensureImages(ctx context.Context, e engine, config *v1alpha4.Cluster, report clusters.Steps) error {
	var pulled []string
	for _, n := range config.Nodes {
		if slices.Contains(pulled, n.Image) || e.hasImage(ctx, n.Image) {
			continue
		}
		pull := func(ctx context.Context) error { return e.pull(ctx, n.Image) }
		if err := steps.One(ctx, report, "Pulling the node image", pull); err != nil {
			return err
		}
		pulled = append(pulled, n.Image)
	}
	return nil
}

// cancelTime is how long kind may go on after its nodes were removed from
// under it.
const cancelTime = 20 * time.Second

// runKind has kind make the nodes. It returns when kind has ended: if ctx
// ends before, by removing the nodes that kind works on, unless they are to
// be retained.
func (c *Cluster) runKind(ctx context.Context, e engine, config *v1alpha4.Cluster, report clusters.Steps, started func(string)) error {
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write the state folder: %w", err)
	}
	defer log.Close()
	progress := newProgress(report, log, started)
	done := make(chan error, 1)
	go func() {
		done <- kindcluster.NewProvider(kindcluster.ProviderWithLogger(progress), e.provider()).Create(c.name,
			kindcluster.CreateWithV1Alpha4Config(config),
			kindcluster.CreateWithKubeconfigPath(c.Kubeconfig()),
			kindcluster.CreateWithRetain(true), // create removes them, once the reason is known
			kindcluster.CreateWithDisplayUsage(false),
			kindcluster.CreateWithDisplaySalutation(false),
		)
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		progress.close(ctx.Err())
		if c.options.Retain {
			return ctx.Err()
		}
		return errors.Join(ctx.Err(), c.cancel(ctx, e, done))
	}
	progress.close(err)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil { // Ctrl-C reaches the engine's commands as well
		return ctx.Err()
	}
	if failed := kindexec.RunErrorForError(err); failed != nil {
		fmt.Fprintf(log, "%s\n%s\n", failed.Command, failed.Output)
	}
	return &clusters.LogError{Err: fmt.Errorf("creating the cluster: %w", err), Log: c.logFile()}
}

// cancel removes nodes until kind has ended, which makes them as fast as it
// can.
func (c *Cluster) cancel(ctx context.Context, e engine, done <-chan error) error {
	deadline := time.NewTimer(cancelTime)
	defer deadline.Stop()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.remove(ctx, e)
		select {
		case failed := <-done:
			_ = failed // it was cancelled; whatever came up last, create removes
			return nil
		case <-deadline.C:
			return err
		case <-tick.C:
		}
	}
}

func (c *Cluster) logFile() string { return filepath.Join(c.dir, logFolder, logName) }
