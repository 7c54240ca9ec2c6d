// Package install installs a demo on a cluster: it applies Flux and the demo's services, pushes the first commit to the
// Git repository, and lets Flux follow it. Running it again adds what is missing and keeps what exists.
package install

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/apply"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/demo/services/forge"
)

// timeout is for everything after the cluster is there. Images that have to
// be pulled over hotel Wi-Fi set it; the embedded cluster needs seconds.
const timeout = 5 * time.Minute

// Run sets up the demo on the cluster and returns when the sample app, which
// only Flux deploys, is served. upstream is the repository behind the Git host,
// or nil; a cluster keeps the one that it was made with.
func Run(ctx context.Context, cluster clusters.Cluster, r Rendered, upstream *forge.Repository, report clusters.Steps) (demo.URLs, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not done after %s", timeout))
	defer cancel()
	c, owner, err := demo.ConnectOwner(cluster)
	if err != nil {
		return demo.URLs{}, err
	}
	config, err := demo.Config(cluster.Kubeconfig())
	if err != nil {
		return demo.URLs{}, err
	}
	in := &installation{
		Rendered: r.At(config.Host), client: c, cluster: cluster, owner: owner, applier: apply.New(c, owner), upstream: upstream,
	}
	in.secrets = newSecrets(in.applier)
	const (
		flux        = "Flux"
		controllers = "Flux controllers"
		services    = "Git host and inbox"
		push        = "First push"
		sync        = "GitRepository and Kustomizations"
		app         = "Sample app"
	)
	err = steps.Run(ctx, report,
		steps.Step{Name: flux, Do: in.apply},
		steps.Step{Name: controllers, Needs: []string{flux}, Do: in.awaitControllers},
		steps.Step{Name: services, Needs: []string{flux}, Do: in.awaitServices},
		steps.Step{Name: push, Needs: []string{services}, Do: in.push},
		steps.Step{Name: sync, Needs: []string{controllers, push}, Do: in.awaitSync},
		steps.Step{Name: app, Needs: []string{sync}, Do: in.awaitApp},
	)
	if err != nil {
		return demo.URLs{}, err
	}
	return in.urls, nil
}

// installation is a Run under way. Each step leaves here what those that need it use.
type installation struct {
	Rendered
	client   client.WithWatch
	cluster  clusters.Cluster
	owner    *ownership.Owner
	applier  *apply.Applier
	secrets  *secrets
	upstream *forge.Repository
	urls     demo.URLs
	begun    *fleet.Beginning // what the repository began with
}

// apply applies Flux, the demo's services and the Secrets that they all read.
func (in *installation) apply(ctx context.Context) error {
	account := ""
	if demo.AdoptedFlux(in.cluster) {
		var err error
		if account, err = accountFor(ctx, in.client); err != nil {
			return err
		}
	}
	// The Secrets need the namespaces.
	if err := in.applier.Definitions(ctx, in.flux, in.services); err != nil {
		return err
	}
	// Git host and inbox start beside Flux.
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return in.secrets.ensure(ctx, in.upstream, account) })
	group.Go(func() error { return in.applier.Rest(ctx, in.services) })
	group.Go(func() error { return in.applier.Rest(ctx, in.flux) })
	if err := group.Wait(); err != nil {
		return err
	}
	return in.follow(in.secrets.source)
}

func (in *installation) awaitControllers(ctx context.Context) error {
	return object.AwaitReady(ctx, in.client, object.Workloads(in.flux)...)
}

func (in *installation) awaitServices(ctx context.Context) (err error) {
	if err := object.AwaitReady(ctx, in.client, object.Workloads(in.services)...); err != nil {
		return err
	}
	in.urls, err = demo.FindURLs(ctx, in.client, in.cluster)
	return err
}

// push fills the Git repository and makes the objects with which Flux follows it. They come after the push: Flux backs
// off from a repository that is empty.
func (in *installation) push(ctx context.Context) (err error) {
	// The Git host's pod is ready; the way there may be some moments behind, or
	// lead to a pod that had this address before.
	page := in.urls.Git + "/info/refs?service=git-upload-pack"
	if in.secrets.source.URL != "" { // then that needs the password
		page = strings.TrimSuffix(in.urls.Git, demo.Repository) + "/healthz"
	}
	if err := demo.AwaitPage(ctx, page); err != nil {
		return err
	}
	host := fleet.Host{URL: in.urls.Git, Username: demo.GitUser, Password: in.secrets.password, Forge: in.secrets.source.URL != ""}
	if in.begun, err = fleet.Seed(ctx, host, in.fleet, demo.BeginningFile(in.cluster)); err != nil {
		return err
	}
	signs, err := in.begun.Signs()
	if err != nil {
		return err
	}
	if !signs {
		if err := in.secrets.unsigned(ctx); err != nil {
			return err
		}
	}
	return in.applier.Missing(ctx, in.sync)
}

// awaitSync waits until Flux has applied what the repository began with.
// Kustomizations that others have put beside these are no reason to wait.
func (in *installation) awaitSync(ctx context.Context) error {
	names, err := in.begun.Kustomizations(demo.FluxNamespace)
	if err != nil {
		return err
	}
	if err := in.wake(ctx, names); err != nil {
		return err
	}
	if err := object.AwaitReady(ctx, in.client, demo.Sync(names)...); err != nil {
		return err
	}
	return takeUp(ctx, in.client, in.owner)
}

func (in *installation) awaitApp(ctx context.Context) (err error) {
	if err := object.AwaitReady(ctx, in.client, demo.App()); err != nil {
		return err
	}
	if in.urls, err = demo.FindURLs(ctx, in.client, in.cluster); err != nil {
		return err
	}
	return demo.AwaitPage(ctx, in.urls.App)
}
