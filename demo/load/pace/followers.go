package pace

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
)

// Followers follow Kustomizations, each from when it is first asked for until
// ctx ends.
type Followers struct {
	ctx    context.Context
	Config *rest.Config
	Client client.WithWatch

	mu  sync.Mutex
	all map[string]*Pace
}

// NewFollowers returns Followers that follow nothing yet. kubeconfig is the path of the cluster's.
func NewFollowers(ctx context.Context, kubeconfig string) (*Followers, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	c, err := demo.Connect(kubeconfig)
	if err != nil {
		return nil, err
	}
	return &Followers{ctx: ctx, Config: config, Client: c, all: map[string]*Pace{}}, nil
}

// Of returns the pace of a Kustomization, as namespace/name.
func (p *Followers) Of(name string) *Pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all[name] == nil {
		namespace, rest, _ := strings.Cut(name, "/")
		followed := New(types.NamespacedName{Namespace: namespace, Name: rest})
		p.all[name] = followed
		go func() { _ = followed.Follow(p.ctx, p.Config, p.Client) }() // NewFollowers has seen that the configuration is good
	}
	return p.all[name]
}

// Charts draws a Kustomization's charts as SVG elements.
func (p *Followers) Charts(name string, slo time.Duration) ([]string, error) {
	const width, height = 320, 130 // small, so that its words are large on a slide
	var all []string
	for _, c := range p.Of(name).Charts(time.Now(), slo) {
		all = append(all, c.SVG(width, height))
	}
	return all, nil
}
