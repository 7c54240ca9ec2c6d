package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/install"
	"github.com/fluxdemo/fluxdemo/demo/services/forge"
)

func newUp(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start or repair the cluster, Flux, and the demo",
		Long: `Starts a cluster with Flux, a Git host, an inbox for notifications, and a sample
app that Flux deploys. If the demo is running, up repairs what is broken and
returns at once. Ctrl-C stops the wait; the next up continues from there.

up uses kind when a container engine is running and has the node image, and the
embedded cluster, which needs no containers, otherwise. --cluster overrides
that.`,
		Example: `  fluxdemo up
  fluxdemo up --cluster embedded
  fluxdemo up --cluster existing --context my-cluster`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			start := time.Now()
			if o.port < 0 || o.port > 65535 {
				return usageError{fmt.Errorf("--port=%d: a port is a number from 1 to 65535, or 0 for any free one", o.port)}
			}
			if err := o.choose(cmd.Context(), cmd.ErrOrStderr()); err != nil {
				return err
			}
			cluster, err := o.cluster()
			if err != nil {
				return err
			}
			if err := o.checkProviderFlags(cmd); err != nil {
				return err
			}
			upstream, err := o.upstream(cmd.Context(), cluster)
			if err != nil {
				return err
			}
			if err := o.confirmEnter(cmd, cluster); err != nil {
				return asUsage(err)
			}
			steps := newStepPrinter(cmd.ErrOrStderr())
			urls, err := o.up(cmd.Context(), cluster, upstream, steps)
			steps.close()
			if err != nil {
				return asUsage(err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Ready in %.1f s.\n\n", time.Since(start).Seconds())
			printURLs(cmd.OutOrStdout(), urls)
			name := ""
			if o.name != "fluxdemo" {
				name = " --name " + o.name
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "\nNext: fluxdemo walk gitops%s, or eval \"$(fluxdemo env%s)\"\n", name, name)
			return nil
		},
	}
	cmd.Flags().BoolVar(&o.allowEgress, "allow-egress", false, "embedded: let pods reach the internet (blocked by default)")
	cmd.Flags().IntVar(&o.port, "port", 0, "port of the API server on 127.0.0.1 (default: any free one)")
	cmd.Flags().StringVar(&o.gitURL, "git-url", "", "empty Git repository of yours for Flux to follow; its token is read from $"+gitTokenVar)
	o.addProviderFlags(cmd)
	return cmd
}

// The environment variables with what --git-url needs: they are secrets, which flags would show to everybody.
const (
	gitTokenVar    = "FLUXDEMO_GIT_TOKEN"
	gitUsernameVar = "FLUXDEMO_GIT_USERNAME"
)

// upstream returns the repository that --git-url names, or nil. Whether that is the one that the cluster was made with,
// setup finds out before it pushes.
func (o *options) upstream(ctx context.Context, cluster clusters.Cluster) (*forge.Repository, error) {
	if o.gitURL == "" {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	u := &forge.Repository{URL: o.gitURL, Password: o.gitToken}
	if u.Password != "" {
		u.Username = cmp.Or(os.Getenv(gitUsernameVar), "git") // forges look at the token alone
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("no answer within 30 s"))
	defer cancel()
	if err := fleet.CheckUpstream(ctx, u, exists(demo.BeginningFile(cluster))); err != nil {
		return nil, usageError{fmt.Errorf("--git-url: %w", err)}
	}
	return u, nil
}

// up brings up the cluster and the demo on it.
func (o *options) up(ctx context.Context, cluster clusters.Cluster, upstream *forge.Repository, steps clusters.Steps) (demo.URLs, error) {
	unlock, err := lockCluster(cluster)
	if err != nil {
		return demo.URLs{}, err
	}
	defer unlock()
	if _, err := bundle.Find(o.bundleDir); err != nil {
		return demo.URLs{}, err
	}
	// Three things at a time: the cluster comes up, the manifests are
	// rendered, and what is applied is applied as soon as the API answers.
	var urls demo.URLs
	answers := make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return cluster.Up(ctx, steps, func() { close(answers) }) })
	group.Go(func() error {
		rendered, err := o.render()
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

func printURLs(out io.Writer, urls demo.URLs) {
	for _, line := range []struct{ name, url string }{
		{"App", urls.App}, {"Git", urls.Git}, {"Forge", urls.Upstream}, {"Inbox", urls.Inbox},
	} {
		if line.url != "" {
			fmt.Fprintf(out, "%-6s %s\n", line.name, line.url)
		}
	}
}
