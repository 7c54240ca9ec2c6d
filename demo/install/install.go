// Package install turns a cluster into a demo: it applies Flux and the demo's services, fills the Git repository and has
// Flux follow it. Running it again repairs what is missing and leaves alone what is there.
package install

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/apply"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/services/forge"
)

// timeout is for everything after the cluster is there. Images that have to
// be pulled over hotel Wi-Fi set it; the embedded cluster needs seconds.
const timeout = 5 * time.Minute

// Run sets up the demo on the cluster and returns when the sample app, which
// only Flux deploys, is served. upstream is the repository behind the Git host, or nil; a cluster keeps the one that it was made with.
func Run(ctx context.Context, cluster clusters.Cluster, r Rendered, upstream *forge.Repository, steps clusters.Steps) (demo.URLs, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not done after %s", timeout))
	defer cancel()
	c, owner, err := demo.ConnectOwner(cluster)
	if err != nil {
		return demo.URLs{}, err
	}
	applier := apply.New(c, owner)
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
	if demo.AdoptedFlux(cluster) {
		if account, err = accountFor(ctx, c); err != nil {
			return demo.URLs{}, err
		}
	}
	secrets := newSecrets(applier)
	if err := step("Flux", func() error {
		// Git host and inbox start beside Flux; the Secrets that they all
		// read need the namespaces.
		if err := applier.Definitions(ctx, r.flux, r.services); err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return secrets.ensure(ctx, upstream, account) })
		group.Go(func() error { return applier.Rest(ctx, r.services) })
		group.Go(func() error { return applier.Rest(ctx, r.flux) })
		return group.Wait()
	}); err != nil {
		return demo.URLs{}, err
	}
	if err := r.follow(secrets.source); err != nil {
		return demo.URLs{}, err
	}

	var urls demo.URLs
	var begun *fleet.Beginning
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return step("Flux controllers", func() error { return object.AwaitReady(groupCtx, c, object.Workloads(r.flux)...) })
	})
	group.Go(func() error {
		if err := step("Git host and inbox", func() error {
			return object.AwaitReady(groupCtx, c, object.Workloads(r.services)...)
		}); err != nil {
			return err
		}
		if urls, err = demo.FindURLs(groupCtx, c, cluster); err != nil {
			return err
		}
		if err := step("First push", func() error {
			// Its pod is ready; the way there may be some moments behind, or
			// lead to a pod that had this address before.
			if err := demo.AwaitPage(groupCtx, urls.Git+"/info/refs?service=git-upload-pack"); err != nil {
				return err
			}
			host := fleet.Host{URL: urls.Git, Username: demo.GitUser, Password: secrets.password, Forge: secrets.source.URL != ""}
			begun, err = fleet.Seed(groupCtx, host, r.fleet, demo.BeginningFile(cluster))
			return err
		}); err != nil {
			return err
		}
		return applier.Missing(groupCtx, r.sync)
	})
	if err := group.Wait(); err != nil {
		return demo.URLs{}, err
	}
	if err := step("GitRepository and Kustomizations", func() error {
		names, err := begun.Kustomizations(demo.FluxNamespace)
		if err != nil {
			return err
		}
		// Kustomizations that others have put beside these are no reason to wait.
		if err := object.AwaitReady(ctx, c, demo.Sync(names)...); err != nil {
			return err
		}
		return takeUp(ctx, c, owner)
	}); err != nil {
		return demo.URLs{}, err
	}
	if err := step("Sample app", func() error {
		if err := object.AwaitReady(ctx, c, demo.App()); err != nil {
			return err
		}
		urls, err = demo.FindURLs(ctx, c, cluster)
		if err != nil {
			return err
		}
		return demo.AwaitPage(ctx, urls.App)
	}); err != nil {
		return demo.URLs{}, err
	}
	return urls, nil
}
