// Package clusters says what a demo needs of a Kubernetes cluster, whatever
// runs it. Each kind of cluster is a folder below this one; the program's
// entry point puts them into a Registry.
package clusters

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// Cluster is one Kubernetes cluster that demos run on.
type Cluster interface {
	// Up creates the cluster, or repairs it if it is there, and returns when
	// its API answers and a node takes pods. It reports what it does, and
	// calls answers once when the API takes requests, so that work can start
	// while the rest comes up.
	Up(ctx context.Context, steps Steps, answers func()) error
	// Down removes the cluster with everything that belongs to it. With
	// keepData it only stops, and Up brings the same state back.
	Down(ctx context.Context, keepData bool) error
	// Status tells how the cluster is. It is an error if it does not exist.
	Status(ctx context.Context) (Status, error)
	// Dir is the folder of what belongs to the cluster on this machine. It
	// goes when the cluster goes.
	Dir() string
	// Kubeconfig is the path of a kubeconfig with full rights.
	Kubeconfig() string
	// URL is where a NodePort Service with this port answers on this
	// machine, without a path.
	URL(ctx context.Context, nodePort int32) (string, error)
	// Logs writes a component's log to out; with follow until ctx ends.
	// The components are those that Status names.
	Logs(ctx context.Context, component string, follow bool, out io.Writer) error
}

// Guest is a cluster that is not the demo's alone: a demo is a guest on it.
type Guest interface {
	Cluster
	// AdoptedFlux tells whether Flux was there before the demo, and is not
	// the demo's to change.
	AdoptedFlux() bool
}

// ErrNotFound says that there is no cluster of that name.
var ErrNotFound = errors.New("no such cluster")

// Steps is told about the steps of a long operation.
type Steps interface {
	// Start begins a step. Steps may overlap. The returned function ends it:
	// with nil it is done, else it failed.
	Start(name string) (end func(error))
}

// Status is how a cluster is.
type Status struct {
	Name       string      `json:"name"`
	Kind       string      `json:"kind"`
	Running    bool        `json:"running"`
	Kubeconfig string      `json:"kubeconfig"`
	Server     string      `json:"server,omitempty"`
	Components []Component `json:"components"`
}

// Component is a part of a cluster that runs: a process of the control
// plane or a pod of the demo.
type Component struct {
	Name      string    `json:"name"` // "etcd", "flux-system/source-controller-7d9f..."
	Namespace string    `json:"namespace,omitempty"`
	Version   string    `json:"version,omitempty"`
	State     string    `json:"state"` // Running, Restarting, ...
	PID       int       `json:"pid,omitempty"`
	Started   time.Time `json:"started,omitzero"`
	Memory    int64     `json:"memoryBytes,omitempty"`
	Restarts  int       `json:"restarts"`
	Message   string    `json:"message,omitempty"`
}

// Kind is a way to run clusters.
type Kind struct {
	Name string
	// Available returns nil if this machine can run such clusters, else an
	// error that says what is missing and how to get it.
	Available func(ctx context.Context) error
	// Because says, in a few words, why one chooses this kind where it is
	// available. Empty means that nobody gets it without asking for it.
	Because string
	// Has tells whether there is a cluster of this kind called name, running
	// or not.
	Has func(name string) bool
	// New returns the cluster called name, which need not exist yet.
	New func(name string) (Cluster, error)
}

// Registry is the list of kinds, the preferred one first.
type Registry []Kind

// Get returns the kind called name.
func (r Registry) Get(name string) (Kind, error) {
	for _, kind := range r {
		if kind.Name == name {
			return kind, nil
		}
	}
	return Kind{}, fmt.Errorf("unknown kind of cluster %q; there is: %s", name, strings.Join(r.Names(), ", "))
}

// Names lists the names of the kinds.
func (r Registry) Names() []string {
	var names []string
	for _, kind := range r {
		names = append(names, kind.Name)
	}
	return names
}

// Of returns the kind of the cluster called name, if there is one.
func (r Registry) Of(name string) (Kind, bool) {
	for _, kind := range r {
		if kind.Has(name) {
			return kind, true
		}
	}
	return Kind{}, false
}

// Choose returns the first kind that this machine can run, and why it is
// that one.
func (r Registry) Choose(ctx context.Context) (kind Kind, why string, err error) {
	var not []string
	for _, kind := range r {
		if kind.Because == "" {
			continue
		}
		err := kind.Available(ctx)
		if err == nil {
			return kind, strings.Join(append(not, kind.Because), "; "), nil
		}
		not = append(not, fmt.Sprintf("not %s: %v", kind.Name, err))
	}
	return Kind{}, "", fmt.Errorf("this machine cannot run clusters: %s", strings.Join(not, "; "))
}

// CheckName returns an error unless name can be the name of a cluster: a DNS
// label, as kind and Kubernetes ask for too.
func CheckName(name string) error {
	if !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`).MatchString(name) {
		return fmt.Errorf("%q cannot be the name of a cluster: use up to 40 of a-z, 0-9 and -, a letter or digit first and last", name)
	}
	return nil
}
