package existing

import (
	"context"

	"github.com/fluxdemo/fluxdemo/clusters/existing/internal/forward"
	"github.com/fluxdemo/fluxdemo/clusters/internal/detached"
)

// ForwardOptions is what Up passes to the port forwarder that it starts.
type ForwardOptions struct {
	Dir        string                           // the cluster's folder
	Kubeconfig string                           // of the cluster
	Namespaces []string                         // whose Services it forwards
	Logf       func(format string, args ...any) // to the file that Up opened
}

// Forward lets the cluster's Services answer on this machine until ctx ends
// or Down ends it. Up starts a process that calls it; see package forward.
func Forward(ctx context.Context, o ForwardOptions) error {
	return forward.Run(ctx, forward.Options{Dir: o.Dir, Kubeconfig: o.Kubeconfig, Namespaces: o.Namespaces}, o.Logf, detached.Ready)
}
