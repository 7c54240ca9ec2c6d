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

// Followers follow Kustomizations, each from when it is first asked for.
type Followers struct {
	Config *rest.Config
	Client client.WithWatch
	start  func(*Pace) // follows it in a goroutine, until the context of NewFollowers ends

	mu  sync.Mutex
	all map[string]*Pace
}

// NewFollowers returns Followers that follow nothing yet, and stop when ctx ends. kubeconfig is the path of the
// cluster's.
func NewFollowers(ctx context.Context, kubeconfig string) (*Followers, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	c, err := demo.Connect(kubeconfig)
	if err != nil {
		return nil, err
	}
	start := func(p *Pace) {
		go func() { _ = p.Follow(ctx, config, c) }() // it fails only for a bad configuration, and demo.Connect took this one
	}
	return &Followers{Config: config, Client: c, start: start, all: map[string]*Pace{}}, nil
}

// Of returns the pace of a Kustomization, as namespace/name.
func (f *Followers) Of(name string) *Pace {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all[name] == nil {
		namespace, rest, _ := strings.Cut(name, "/")
		p := New(types.NamespacedName{Namespace: namespace, Name: rest})
		f.all[name] = p
		f.start(p)
	}
	return f.all[name]
}

// Charts draws a Kustomization's charts as SVG elements.
func (f *Followers) Charts(name string, slo time.Duration) ([]string, error) {
	const width, height = 320, 130 // small, so that its words are large on a slide
	var all []string
	for _, c := range f.Of(name).Charts(time.Now(), slo) {
		all = append(all, c.SVG(width, height))
	}
	return all, nil
}
