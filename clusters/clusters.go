// Package clusters defines what a demo needs of a Kubernetes cluster. Each
// provider is in a folder below this one, and the command lists them in
// Providers.
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
	// calls answers once, when the API server takes requests, so that the
	// caller can begin while the rest of the cluster starts.
	Up(ctx context.Context, steps Steps, answers func()) error
	// Down removes the cluster and everything that belongs to it. With
	// keepData it only stops the cluster, and Up restores its state.
	Down(ctx context.Context, keepData bool) error
	// Status returns the state of the cluster. It fails with ErrNotFound if
	// the cluster does not exist.
	Status(ctx context.Context) (Status, error)
	// Dir returns the folder of the cluster's files on this machine. Down
	// removes it.
	Dir() string
	// Kubeconfig returns the path of a kubeconfig with full permissions.
	Kubeconfig() string
	// URL returns the address of a NodePort on this machine, without a path,
	// for example http://127.0.0.1:30080.
	URL(ctx context.Context, nodePort int32) (string, error)
	// Logs writes the log of a component that Status names to out. With
	// follow it goes on until ctx ends.
	Logs(ctx context.Context, component string, follow bool, out io.Writer) error
}

// Guest is an existing cluster, on which the demo is a guest beside other
// users.
type Guest interface {
	Cluster
	// Adopted reports whether the demo uses the Flux that the cluster had
	// before, and must not change it.
	Adopted() bool
	// Entered reports whether Up has installed the demo on the cluster.
	Entered() bool
	// Target names the cluster that Up would change. It asks no server.
	Target() (Target, error)
	// Verify returns an error if the cluster does not answer, or is another
	// one than the demo was put on.
	Verify(ctx context.Context) error
	// MakesVolumes reports whether the cluster makes a volume for each claim.
	MakesVolumes(ctx context.Context) (bool, error)
}

// Target is the cluster that a context of the user's kubeconfig names.
type Target struct{ Context, Server, User string }

// ErrNotFound says that there is no cluster of that name.
var ErrNotFound = errors.New("no such cluster")

// Steps receives the steps of a long operation, to show its progress.
type Steps interface {
	// Start begins a step. Steps may overlap. The returned function ends it:
	// with nil it is done, else it failed.
	Start(name string) (end func(error))
}

// Status is how a cluster is.
type Status struct {
	Name       string `json:"name"`
	Provider   string `json:"kind"` // the name that scripts read it by
	Running    bool   `json:"running"`
	Kubeconfig string `json:"kubeconfig"`
	Server     string `json:"server,omitempty"`
	// Fence says how pods are confined that are processes of this machine, for
	// people; empty where they are in containers.
	Fence      string      `json:"fence,omitempty"`
	Components []Component `json:"components"`
}

// Component is a part of a cluster that runs: a process of the control
// plane or a pod of the demo.
type Component struct {
	Name      string    `json:"name"` // "etcd", or that of a pod: "git-7d9f..."
	Namespace string    `json:"namespace,omitempty"`
	Version   string    `json:"version,omitempty"`
	State     string    `json:"state"`           // Running, Restarting, NotAnswering, ...
	Silent    time.Time `json:"silent,omitzero"` // when it answered last, if it does not answer
	PID       int       `json:"pid,omitempty"`
	Started   time.Time `json:"started,omitzero"`
	Memory    int64     `json:"memoryBytes,omitempty"`
	Restarts  int       `json:"restarts"`
	Message   string    `json:"message,omitempty"`
}

// Provider is a way to run clusters.
type Provider struct {
	Name string
	// Available returns nil if this machine can run such clusters, else an
	// error that says what is missing and how to get it.
	Available func(ctx context.Context) error
	// Because says, in a few words, why one chooses this provider where it is
	// available. An empty one is used only on request.
	Because string
	// Has reports whether this provider has a cluster called name, running or
	// not.
	Has func(name string) bool
	// New returns the cluster called name, which need not exist yet.
	New func(name string) (Cluster, error)
}

// Providers is the list of providers, the preferred one first.
type Providers []Provider

// Get returns the provider called name.
func (p Providers) Get(name string) (Provider, error) {
	for _, provider := range p {
		if provider.Name == name {
			return provider, nil
		}
	}
	return Provider{}, fmt.Errorf("unknown provider %q; valid values: %s", name, strings.Join(p.Names(), ", "))
}

// Names lists the names of the providers.
func (p Providers) Names() []string {
	var names []string
	for _, provider := range p {
		names = append(names, provider.Name)
	}
	return names
}

// Of returns the provider of the cluster called name, if there is one.
func (p Providers) Of(name string) (Provider, bool) {
	for _, provider := range p {
		if provider.Has(name) {
			return provider, true
		}
	}
	return Provider{}, false
}

// Choose returns the first provider that works on this machine, and why, for
// example "not kind: no container engine found; install docker, podman, or
// nerdctl; it needs no container engine".
func (p Providers) Choose(ctx context.Context) (provider Provider, why string, err error) {
	var not []string
	for _, provider := range p {
		if provider.Because == "" {
			continue
		}
		err := provider.Available(ctx)
		if err == nil {
			return provider, strings.Join(append(not, provider.Because), "; "), nil
		}
		not = append(not, fmt.Sprintf("not %s: %v", provider.Name, err))
	}
	return Provider{}, "", fmt.Errorf("this machine cannot run clusters: %s", strings.Join(not, "; "))
}

// CheckName returns an error unless name can be the name of a cluster: a DNS
// label of up to 40 characters, as kind and Kubernetes require.
func CheckName(name string) error {
	if !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`).MatchString(name) {
		return fmt.Errorf("%q is not a valid name for a cluster: use up to 40 of a-z, 0-9, and -, and begin and end with a letter or a digit", name)
	}
	return nil
}
