package demo

import (
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

// ErrAdoptedFlux says that Flux was on the cluster before the demo.
var ErrAdoptedFlux = errors.New("fluxdemo does not change the Flux that this cluster already had; use another cluster: `fluxdemo up --name own --cluster embedded`, then --name own")

// AdoptedFlux reports whether Flux was on the cluster before the demo.
func AdoptedFlux(cluster clusters.Cluster) bool {
	guest, is := cluster.(clusters.Guest)
	return is && guest.Adopted()
}

// MayChangeFlux returns ErrAdoptedFlux if Flux's controllers on the cluster
// are not the demo's.
func MayChangeFlux(cluster clusters.Cluster) error {
	if AdoptedFlux(cluster) {
		return ErrAdoptedFlux
	}
	return nil
}

// ConnectOwner connects to a cluster, and to the record of what is the
// demo's there.
func ConnectOwner(cluster clusters.Cluster) (client.WithWatch, *ownership.Owner, error) {
	c, err := Connect(cluster.Kubeconfig())
	if err != nil {
		return nil, nil, err
	}
	owner, err := ownership.New(c, cluster)
	return c, owner, err
}

// ConnectToOwnFlux connects to a cluster whose Flux is the demo's.
func ConnectToOwnFlux(cluster clusters.Cluster) (client.WithWatch, *ownership.Owner, error) {
	if err := MayChangeFlux(cluster); err != nil {
		return nil, nil, err
	}
	return ConnectOwner(cluster)
}
