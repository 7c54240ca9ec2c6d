// Package serving is what the commands share that serve pages: a port on loopback, a watch of the cluster, and the user's
// browser. Nothing here prints.
package serving

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
	"github.com/fluxdemo/fluxdemo/demo/load/pace"
)

// Watch follows the cluster until ctx ends. It fails if the cluster is not running.
func Watch(ctx context.Context, o *cli.Options) (*live.Watcher, *pace.Followers, error) {
	cluster, err := o.Running(ctx)
	if err != nil {
		return nil, nil, err
	}
	followed, err := pace.NewFollowers(ctx, cluster.Kubeconfig())
	if err != nil {
		return nil, nil, err
	}
	urls, err := demo.FindURLs(ctx, followed.Client, cluster)
	if err != nil {
		return nil, nil, err
	}
	watcher, err := live.Start(ctx, live.Options{Config: followed.Config, GitURL: urls.Git, InboxURL: urls.Inbox})
	return watcher, followed, err
}

// Listen opens a port on 127.0.0.1. If the port is in use, it opens any free one instead.
func Listen(ctx context.Context, port int) (net.Listener, error) {
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil && port != 0 {
		ln, err = config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listening on 127.0.0.1: %w", err)
	}
	return ln, nil
}
