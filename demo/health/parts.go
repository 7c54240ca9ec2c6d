package health

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	notificationv1 "github.com/fluxcd/notification-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

// States of what should be there and is not, or is and does not answer.
const (
	Silent       = "NotAnswering" // the process is there
	Missing      = "Missing"      // the object does not exist
	ScaledToZero = "ScaledToZero" // people have scaled the Deployment, not Git
	NoPod        = "NoPod"        // the Deployment has no pod
)

// parts are the Deployments and the objects of Flux that a demo should have.
type parts struct {
	deployments []ownership.Object
	flux        []ownership.Object
}

// expected returns what should be there: what up installs, and what the demo's Kustomizations say that they have applied.
// What Git no longer has is not expected.
func expected(adopted bool, kustomizations []*unstructured.Unstructured) parts {
	var p parts
	add := func(list *[]ownership.Object, o ownership.Object) {
		if !slices.ContainsFunc(*list, func(other ownership.Object) bool { return other.Key() == o.Key() }) {
			*list = append(*list, o)
		}
	}
	deployment := appsv1.SchemeGroupVersion.WithKind("Deployment")
	if !adopted {
		for _, name := range []string{"source-controller", "kustomize-controller", "helm-controller", "notification-controller"} {
			add(&p.deployments, named(deployment.GroupVersion().String(), deployment.Kind, demo.FluxNamespace, name))
		}
	}
	for _, name := range []string{"git", "inbox"} {
		add(&p.deployments, named(deployment.GroupVersion().String(), deployment.Kind, demo.DemoNamespace, name))
	}
	add(&p.flux, named(notificationv1.GroupVersion.String(), notificationv1.ReceiverKind, demo.FluxNamespace, demo.SyncName))
	add(&p.flux, named(sourcev1.GroupVersion.String(), sourcev1.GitRepositoryKind, demo.FluxNamespace, demo.SyncName))
	add(&p.flux, named(kustomizev1.GroupVersion.String(), kustomizev1.KustomizationKind, demo.FluxNamespace, demo.SyncName))
	for _, k := range kustomizations {
		if k.GetDeletionTimestamp() != nil {
			continue
		}
		for _, o := range ownership.Applied(k) {
			kind := o.GroupVersionKind().GroupKind()
			switch {
			case kind == deployment.GroupKind():
				add(&p.deployments, o)
			case slices.Contains(shownGroupKinds(), kind):
				add(&p.flux, o)
			}
		}
	}
	return p
}

func named(apiVersion, kind, namespace, name string) ownership.Object {
	return ownership.Object{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name}
}

// absent returns a row for each expected Deployment without a pod. running is what the cluster runs.
func (p parts) absent(ctx context.Context, c client.Reader, running []clusters.Component) ([]clusters.Component, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	if err := c.List(ctx, list); err != nil {
		return nil, fmt.Errorf("listing the Deployments: %w", err)
	}
	there := map[string]*unstructured.Unstructured{}
	for i := range list.Items {
		there[object.Key(&list.Items[i])] = &list.Items[i]
	}
	var rows []clusters.Component
	for _, o := range p.deployments {
		row := clusters.Component{Name: o.Name, Namespace: o.Namespace}
		d := there[o.Key()]
		switch {
		case d == nil:
			row.State, row.Message = Missing, "the Deployment does not exist"
		case object.RolloutOf(d).Wanted == 0:
			if byGit(d) {
				continue
			}
			row.State, row.Message = ScaledToZero, "the Deployment is scaled to zero"
		case !slices.ContainsFunc(running, func(c clusters.Component) bool { return c.Namespace == o.Namespace && Workload(c) == o.Name }):
			row.State, row.Message = NoPod, "the Deployment has no pod"
		default:
			continue
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// byGit reports whether Flux has applied the Deployment's number of replicas.
func byGit(d *unstructured.Unstructured) bool {
	for _, entry := range d.GetManagedFields() {
		if entry.Manager == "kustomize-controller" && entry.FieldsV1 != nil && bytes.Contains(entry.FieldsV1.GetRawBytes(), []byte(`"f:replicas":`)) {
			return true
		}
	}
	return false
}

// missing returns a row for each expected object of Flux that is not among those that are there.
func (p parts) missing(there []Object) []Object {
	var rows []Object
	for _, o := range p.flux {
		if slices.ContainsFunc(there, func(t Object) bool { return t.Kind == o.Kind && t.Namespace == o.Namespace && t.Name == o.Name }) {
			continue
		}
		rows = append(rows, Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Ready: Missing, Message: "it does not exist; `fluxdemo up` creates it"})
	}
	return rows
}

// podSuffix is what Deployments and DaemonSets add to the names of their pods, in the letters that Kubernetes takes for
// that.
const podSuffix = `(-[bcdfghj-np-tv-xz24-9]{6,10})?-[bcdfghj-np-tv-xz24-9]{5}$`

// Workload returns the name of what a pod belongs to, for example "source-controller" of the pod
// source-controller-749b678b7f-6q5mx, and the name of a component that is no pod.
func Workload(part clusters.Component) string {
	if part.Namespace == "" {
		return part.Name
	}
	return regexp.MustCompile(podSuffix).ReplaceAllString(part.Name, "")
}

// answering clears the URLs of parts that do not run.
func answering(urls demo.URLs, parts []clusters.Component) demo.URLs {
	for _, each := range []struct {
		url             *string
		namespace, name string
	}{
		{&urls.Git, demo.DemoNamespace, "git"}, {&urls.Inbox, demo.DemoNamespace, "inbox"}, {&urls.App, demo.AppNamespace, "app"},
	} {
		if !slices.ContainsFunc(parts, func(c clusters.Component) bool {
			return c.Namespace == each.namespace && Workload(c) == each.name && c.State == "Running"
		}) {
			*each.url = ""
		}
	}
	return urls
}
