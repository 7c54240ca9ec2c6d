package diagrams

import (
	"context"
	"net/http"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

// detailTime is how long the details of an object may take.
const detailTime = 10 * time.Second

// Live reports the state of the cluster: a *live.Watcher.
type Live interface {
	// Subscribe returns the current states, and a channel with the events from then on until ctx ends.
	Subscribe(ctx context.Context) ([]live.State, <-chan live.Event)
	// Detail returns the details of one target.
	Detail(ctx context.Context, t binding.Target) (live.Detail, error)
}

// Detail returns the handler of the details of the target that the query names. cluster is nil without one.
func Detail(cluster Live) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if cluster == nil {
			http.Error(w, "no cluster is running; `fluxdemo up` starts one", http.StatusNotFound)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), detailTime)
		defer cancel()
		d, err := cluster.Detail(ctx, binding.Target(r.URL.Query().Get("target")))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		serve.JSON(w, d)
	}
}
