// Package health collects the state of a demo: of its cluster and of the objects that Flux reconciles, the causes of
// failures, and the logs of its pods. The commands print it.
package health

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	// URLs are those of the parts that run.
	URLs demo.URLs `json:"urls"`
	// Problem says why Objects and URLs are missing, if they are.
	Problem string `json:"problem,omitempty"`
}

// Object is how an object of Flux is.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Ready     string `json:"ready"` // True, False, Unknown, or Missing
	Suspended bool   `json:"suspended"`
	Revision  string `json:"revision,omitempty"`
	Message   string `json:"message,omitempty"`
	Brief     string `json:"brief,omitempty"` // Message in a line that begins with the reason, unless it is ready
}

// Healthy reports whether everything runs and every object is ready.
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

// patience is how long a cluster and its API may take altogether.
const patience = 5 * time.Second

// Collect asks the cluster and its API. What should be there and is not is a component or an object too. Only a cluster
// that does not exist is an error: a sick one has a Problem.
func Collect(ctx context.Context, cluster clusters.Cluster) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var s Status
	var err error
	if s.Cluster, err = cluster.Status(ctx); err != nil || !s.Cluster.Running {
		return s, err
	}
	if slices.ContainsFunc(s.Cluster.Components, func(c clusters.Component) bool { return c.State == Silent && c.Namespace == "" }) {
		s.Problem = "The control plane does not answer; `fluxdemo up` restarts what hangs."
		return s, nil
	}
	c, err := demo.Connect(cluster.Kubeconfig())
	if err == nil {
		err = s.look(ctx, c, cluster)
	}
	if err != nil {
		s.Problem = err.Error()
	}
	return s, nil
}

// look reads the demo's part of the status.
func (s *Status) look(ctx context.Context, c client.WithWatch, cluster clusters.Cluster) error {
	urls, err := demo.FindURLs(ctx, c, cluster)
	if err != nil {
		return err
	}
	found, err := objects(ctx, c, cluster)
	if err != nil {
		return err
	}
	var kustomizations []*unstructured.Unstructured
	for _, o := range found {
		s.Objects = append(s.Objects, describe(o))
		if o.GetKind() == kustomizev1.KustomizationKind {
			kustomizations = append(kustomizations, o)
		}
	}
	parts := expected(demo.AdoptedFlux(cluster), kustomizations)
	absent, err := parts.absent(ctx, c, s.Cluster.Components)
	if err != nil {
		return err
	}
	s.Objects = append(s.Objects, parts.missing(s.Objects)...)
	s.Cluster.Components = append(s.Cluster.Components, absent...)
	s.URLs = answering(urls, s.Cluster.Components)
	return nil
}

// shownKinds are the kinds of Flux objects to show, in the order in which Flux uses them.
func shownKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		notificationv1.GroupVersion.WithKind(notificationv1.ReceiverKind),
		sourcev1.GroupVersion.WithKind(sourcev1.GitRepositoryKind),
		kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind),
	}
}

func shownGroupKinds() []schema.GroupKind {
	var kinds []schema.GroupKind
	for _, kind := range shownKinds() {
		kinds = append(kinds, kind.GroupKind())
	}
	return kinds
}

// objects returns those of the demo: how others fare does not make it well or unwell.
func objects(ctx context.Context, c client.WithWatch, cluster clusters.Cluster) ([]*unstructured.Unstructured, error) {
	owner, err := ownership.New(c, cluster)
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
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
		for i := range list.Items {
			if owner.Check(ctx, &list.Items[i]) == nil {
				all = append(all, &list.Items[i])
			}
		}
	}
	return all, nil
}

func describe(u *unstructured.Unstructured) Object {
	ready := object.Condition(u, fluxmeta.ReadyCondition)
	o := Object{
		Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName(),
		Ready:     cmp.Or(string(ready.Status), "Unknown"),
		Suspended: object.Suspended(u),
		Revision:  cmp.Or(object.Applied(u), object.Stored(u)),
		Message:   ready.Message,
	}
	if o.Ready != "True" {
		o.Brief = object.Brief(ready.Message)
	}
	return o
}
