package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/install"
	"github.com/fluxdemo/fluxdemo/demo/services/forge"
)

// The environment variables with what --git-url needs: they are secrets, which flags would show to everybody.
const (
	GitTokenVar    = "FLUXDEMO_GIT_TOKEN"
	gitUsernameVar = "FLUXDEMO_GIT_USERNAME"
)

// Upstream returns the repository that --git-url names, or nil. Whether that is the one that the cluster was made with,
// setup finds out before it pushes.
func (o *Options) Upstream(ctx context.Context, cluster clusters.Cluster) (*forge.Repository, error) {
	if o.GitURL == "" {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	u := &forge.Repository{URL: o.GitURL, Password: o.gitToken}
	if u.Password != "" {
		u.Username = cmp.Or(os.Getenv(gitUsernameVar), "git") // forges look at the token alone
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("no answer within 30 s"))
	defer cancel()
	if err := fleet.CheckUpstream(ctx, u, exists(demo.BeginningFile(cluster))); err != nil {
		return nil, Usage(fmt.Errorf("--git-url: %w", err))
	}
	return u, nil
}

// Up brings up the cluster and the demo on it.
func (o *Options) Up(ctx context.Context, cluster clusters.Cluster, upstream *forge.Repository, steps clusters.Steps) (demo.URLs, error) {
	unlock, err := Lock(cluster)
	if err != nil {
		return demo.URLs{}, err
	}
	defer unlock()
	if _, err := bundle.Find(o.BundleDir); err != nil {
		return demo.URLs{}, err
	}
	// Three things at a time: the cluster comes up, the manifests are
	// rendered, and what is applied is applied as soon as the API answers.
	var urls demo.URLs
	answers := make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return cluster.Up(ctx, steps, func() { close(answers) }) })
	group.Go(func() error {
		rendered, err := o.Render()
		if err != nil {
			return err
		}
		select {
		case <-answers:
		case <-ctx.Done():
			return ctx.Err()
		}
		if rendered, err = o.fit(ctx, cluster, rendered, steps); err != nil {
			return err
		}
		urls, err = install.Run(ctx, cluster, rendered, upstream, steps)
		return err
	})
	return urls, group.Wait()
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
