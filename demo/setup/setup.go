// Package setup turns a cluster into a demo: it installs Flux and the demo's
// services, fills the Git repository and has Flux follow it. Running it again
// repairs what is missing and leaves alone what is there.
package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	githost "github.com/fluxdemo/fluxdemo/demo/services/git"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// Namespaces and names of what the demo is made of.
const (
	FluxNamespace = "flux-system"
	DemoNamespace = "fluxdemo"
	AppNamespace  = "app"
	SyncName      = "flux-system" // GitRepository, Kustomization and Receiver
)

// timeout is for everything after the cluster is there. Images that have to
// be pulled over hotel Wi-Fi set it; the embedded cluster needs seconds.
const timeout = 5 * time.Minute

// Connect returns a client for the cluster that can watch. Errors name what
// to do.
func Connect(kubeconfig string) (client.WithWatch, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's kubeconfig: %w; `fluxdemo up` writes it", err)
	}
	config.QPS, config.Burst = 1000, 2000 // one user on a cluster of their own
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return eager{next} })
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), kustomizev1.AddToScheme(scheme), sourcev1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return c, nil
}

// Rendered is everything that setup applies, and what it pushes first.
type Rendered struct {
	flux, services, sync []*unstructured.Unstructured
	fleet                fs.FS
}

// Render renders all manifests. It needs no cluster, so it can run while one
// starts. install is what `flux install --export` prints.
func Render(install []byte) (r Rendered, err error) {
	var group errgroup.Group
	group.Go(func() (err error) { r.flux, err = manifests.Flux(install, manifests.ForDemo); return err })
	group.Go(func() (err error) { r.services, err = manifests.Services(); return err })
	group.Go(func() error { return r.follow(manifests.Source{}) })
	return r, group.Wait()
}

// follow has Flux follow the repository at source.
func (r *Rendered) follow(source manifests.Source) (err error) {
	if r.fleet, err = manifests.Fleet(source); err != nil {
		return err
	}
	r.sync, err = manifests.Sync(source)
	return err
}

// Images lists the images that the pods of Flux and of the demo's services
// run, each once. The sample app runs one of them.
func (r Rendered) Images() []string {
	var images []string
	for _, o := range workloads(slices.Concat(r.flux, r.services)) {
		containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
		for _, each := range containers {
			container, ok := each.(map[string]any)
			if image, named := container["image"].(string); ok && named && !slices.Contains(images, image) {
				images = append(images, image)
			}
		}
	}
	return images
}

// BeginningFile is where the commit with which the demo has begun the fleet is kept: a Git bundle with the branch main.
func BeginningFile(cluster clusters.Cluster) string {
	return filepath.Join(cluster.Dir(), fleet.BeginningFile)
}

// Run sets up the demo on the cluster and returns when the sample app, which
// only Flux deploys, is served. upstream is the repository behind the Git host, or nil; a cluster keeps the one that it was made with.
func Run(ctx context.Context, cluster clusters.Cluster, r Rendered, upstream *githost.Upstream, steps clusters.Steps) (URLs, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not done after %s", timeout))
	defer cancel()
	c, owner, err := connectOwner(cluster)
	if err != nil {
		return URLs{}, err
	}
	apply := newApplier(c, owner)
	step := func(name string, work func() error) error {
		end := steps.Start(name)
		err := work()
		end(err)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}

	account := ""
	if adoptedFlux(cluster) {
		if account, err = accountFor(ctx, c); err != nil {
			return URLs{}, err
		}
	}
	secrets := newSecrets(apply)
	if err := step("Flux", func() error {
		// Git host and inbox start beside Flux; the Secrets that they all
		// read need the namespaces.
		if err := apply.definitions(ctx, r.flux, r.services); err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return secrets.ensure(ctx, upstream, account) })
		group.Go(func() error { return apply.rest(ctx, r.services) })
		group.Go(func() error { return apply.rest(ctx, r.flux) })
		return group.Wait()
	}); err != nil {
		return URLs{}, err
	}
	if err := r.follow(secrets.source); err != nil {
		return URLs{}, err
	}

	var urls URLs
	var begun *fleet.Beginning
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return step("Flux controllers", func() error { return awaitReady(groupCtx, c, workloads(r.flux)...) })
	})
	group.Go(func() error {
		if err := step("Git host and inbox", func() error {
			return awaitReady(groupCtx, c, workloads(r.services)...)
		}); err != nil {
			return err
		}
		if urls, err = FindURLs(groupCtx, c, cluster); err != nil {
			return err
		}
		if err := step("First push", func() error {
			// Its pod is ready; the way there may be some moments behind, or
			// lead to a pod that had this address before.
			if err := awaitPage(groupCtx, urls.Git+"/info/refs?service=git-upload-pack"); err != nil {
				return err
			}
			host := gitHost{urls.Git, secrets.username, secrets.password, secrets.source.URL != ""}
			begun, err = seed(groupCtx, host, r.fleet, BeginningFile(cluster))
			return err
		}); err != nil {
			return err
		}
		return apply.missing(groupCtx, r.sync)
	})
	if err := group.Wait(); err != nil {
		return URLs{}, err
	}
	if err := step("GitRepository and Kustomizations", func() error {
		if err := awaitSync(ctx, c, begun); err != nil {
			return err
		}
		return takeUp(ctx, c, owner)
	}); err != nil {
		return URLs{}, err
	}
	if err := step("Sample app", func() error {
		if err := awaitReady(ctx, c, app()); err != nil {
			return err
		}
		urls, err = FindURLs(ctx, c, cluster)
		if err != nil {
			return err
		}
		return awaitPage(ctx, urls.App)
	}); err != nil {
		return URLs{}, err
	}
	return urls, nil
}
