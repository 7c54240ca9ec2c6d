// Package health tells how a demo is: the state of its cluster and of the objects that Flux reconciles, what is at fault
// when something fails, and what its pods log. It collects; the command prints.
package health

import (
	"cmp"
	"context"
	"fmt"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	notificationv1 "github.com/fluxcd/notification-controller/api/v1"
	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

// Status is how a demo is.
type Status struct {
	Cluster clusters.Status `json:"cluster"`
	Objects []Object        `json:"objects"`
	URLs    demo.URLs       `json:"urls"`
	// Problem says why Objects and URLs are missing, if they are.
	Problem string `json:"problem,omitempty"`
}

// Object is how an object of Flux is.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Ready     string `json:"ready"` // True, False or Unknown
	Suspended bool   `json:"suspended"`
	Revision  string `json:"revision,omitempty"`
	Message   string `json:"message,omitempty"`
}

// Healthy tells whether everything runs and every object is ready.
func (s Status) Healthy() bool {
	if !s.Cluster.Running || s.Problem != "" || len(s.Objects) == 0 {
		return false
	}
	for _, part := range s.Cluster.Components {
		if part.State != "Running" && part.State != "Simulated" {
			return false
		}
	}
	for _, o := range s.Objects {
		if o.Ready != "True" && !o.Suspended {
			return false
		}
	}
	return true
}

// Collect asks the cluster and its API. Only a cluster that does not exist
// is an error: a sick one has a Problem.
func Collect(ctx context.Context, cluster clusters.Cluster) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var s Status
	var err error
	if s.Cluster, err = cluster.Status(ctx); err != nil || !s.Cluster.Running {
		return s, err
	}
	c, err := demo.Connect(cluster.Kubeconfig())
	if err == nil {
		if s.URLs, err = demo.FindURLs(ctx, c, cluster); err == nil {
			s.Objects, err = objects(ctx, c, cluster)
		}
	}
	if err != nil {
		s.Problem = err.Error()
	}
	return s, nil
}

// shownKinds are the objects that the demo is about, in the order of its story.
func shownKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		notificationv1.GroupVersion.WithKind(notificationv1.ReceiverKind),
		sourcev1.GroupVersion.WithKind(sourcev1.GitRepositoryKind),
		kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind),
	}
}

// objects describes those of the demo: how others fare does not make it well
// or unwell.
func objects(ctx context.Context, c client.WithWatch, cluster clusters.Cluster) ([]Object, error) {
	owner, err := ownership.New(c, cluster)
	if err != nil {
		return nil, err
	}
	var all []Object
	for _, kind := range shownKinds() {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		err := c.List(ctx, list)
		if meta.IsNoMatchError(err) {
			return nil, fmt.Errorf("Flux is not installed; `fluxdemo up` installs it")
		}
		if err != nil {
			return nil, fmt.Errorf("listing %ss: %w", kind.Kind, err)
		}
		for _, item := range list.Items {
			if owner.Check(ctx, &item) == nil {
				all = append(all, describe(&item))
			}
		}
	}
	return all, nil
}

func describe(u *unstructured.Unstructured) Object {
	ready := object.Condition(u, fluxmeta.ReadyCondition)
	return Object{
		Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName(),
		Ready:     cmp.Or(string(ready.Status), "Unknown"),
		Suspended: object.Suspended(u),
		Revision:  cmp.Or(object.Applied(u), object.Stored(u)),
		Message:   ready.Message,
	}
}
