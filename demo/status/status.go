// Package status tells how a demo is: the parts of its cluster, the objects
// that Flux reconciles, and where its pages answer. It collects; printing is
// the command's business.
package status

import (
	"context"
	"fmt"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	notificationv1 "github.com/fluxcd/notification-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/demo/setup"
)

// Demo is how a demo is.
type Demo struct {
	Cluster clusters.Status `json:"cluster"`
	Objects []Object        `json:"objects"`
	URLs    setup.URLs      `json:"urls"`
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
func (d Demo) Healthy() bool {
	if !d.Cluster.Running || d.Problem != "" || len(d.Objects) == 0 {
		return false
	}
	for _, part := range d.Cluster.Components {
		if part.State != "Running" && part.State != "Simulated" {
			return false
		}
	}
	for _, object := range d.Objects {
		if object.Ready != "True" && !object.Suspended {
			return false
		}
	}
	return true
}

// Collect asks the cluster and its API. Only a cluster that does not exist
// is an error: a sick one has a Problem.
func Collect(ctx context.Context, cluster clusters.Cluster) (Demo, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var demo Demo
	var err error
	if demo.Cluster, err = cluster.Status(ctx); err != nil || !demo.Cluster.Running {
		return demo, err
	}
	c, err := setup.Connect(cluster.Kubeconfig())
	if err == nil {
		if demo.URLs, err = setup.FindURLs(ctx, c, cluster); err == nil {
			demo.Objects, err = objects(ctx, c, cluster)
		}
	}
	if err != nil {
		demo.Problem = err.Error()
	}
	return demo, nil
}

// kinds are the objects that the demo is about, in the order of its story.
func kinds() []schema.GroupVersionKind {
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
	for _, kind := range kinds() {
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
	o := Object{Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName(), Ready: "Unknown"}
	o.Suspended, _, _ = unstructured.NestedBool(u.Object, "spec", "suspend")
	o.Revision, _, _ = unstructured.NestedString(u.Object, "status", "lastAppliedRevision")
	if o.Revision == "" {
		o.Revision, _, _ = unstructured.NestedString(u.Object, "status", "artifact", "revision")
	}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, each := range conditions {
		condition, ok := each.(map[string]any)
		if ok && condition["type"] == "Ready" {
			o.Ready, _ = condition["status"].(string)
			o.Message, _ = condition["message"].(string)
		}
	}
	return o
}
