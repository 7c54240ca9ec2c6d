package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/install"
	"github.com/fluxdemo/fluxdemo/demo/services/forge"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

// The environment variables for --git-url. Secrets are no flags, because other users could read them in the process list.
const (
	GitTokenVar    = "FLUXDEMO_GIT_TOKEN"
	gitUsernameVar = "FLUXDEMO_GIT_USERNAME"
)

// Upstream returns the repository that --git-url names, or nil. It does not check that the cluster was created with the
// same repository; the install does before it pushes.
func (o *Options) Upstream(ctx context.Context, cluster clusters.Cluster) (*forge.Repository, error) {
	if o.GitURL == "" {
		return nil, nil //nolint:nilnil // the flag is optional
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

// Up starts or repairs the cluster and installs the demo on it.
func (o *Options) Up(ctx context.Context, cluster clusters.Cluster, upstream *forge.Repository, report clusters.Steps) (demo.URLs, error) {
	unlock, err := Lock(cluster)
	if err != nil {
		return demo.URLs{}, err
	}
	defer unlock()
	if _, err := bundle.Find(o.BundleDir); err != nil {
		return demo.URLs{}, err
	}
	var rendered install.Rendered
	var urls demo.URLs
	answers := make(chan struct{}) // closed when the API takes requests
	const (
		clusterUp = "cluster"
		api       = "API server"
		render    = "manifests"
		fit       = "manifests for this cluster"
		setUp     = "demo"
	)
	// The cluster starts while the manifests are rendered. The install begins
	// when the API server answers.
	err = steps.RunUnnamed(ctx, report,
		steps.Step{Name: clusterUp, Hidden: true, Do: func(ctx context.Context) error {
			return cluster.Up(ctx, report, func() { close(answers) })
		}},
		steps.Step{Name: api, Hidden: true, Do: func(ctx context.Context) error {
			select {
			case <-answers:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}},
		steps.Step{Name: render, Hidden: true, Do: func(context.Context) (err error) {
			rendered, err = o.Render()
			return err
		}},
		steps.Step{Name: fit, Hidden: true, Needs: []string{api, render}, Do: func(ctx context.Context) (err error) {
			rendered, err = o.fit(ctx, cluster, rendered, report)
			return err
		}},
		steps.Step{Name: setUp, Hidden: true, Needs: []string{fit}, Do: func(ctx context.Context) (err error) {
			urls, err = install.Run(ctx, cluster, rendered, upstream, report)
			return err
		}},
	)
	if err == nil && urls.Git != "" {
		err = o.allowPush(ctx, cluster)
	}
	return urls, err
}

// allowPush lets clones of the time before push: a cluster that is stopped keeps no credentials for them.
func (o *Options) allowPush(ctx context.Context, cluster clusters.Cluster) error {
	c, err := demo.Connect(cluster.Kubeconfig())
	if err != nil {
		return err
	}
	_, err = shell.CredentialHelper(ctx, cluster, c)
	return err
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
