package health

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

// deployment makes one that wants some pods. by is who has written that.
func deployment(namespace, name string, replicas int64, by string) *unstructured.Unstructured {
	o := object.Named(demo.App().GroupVersionKind(), namespace, name)
	o.Object["spec"] = map[string]any{"replicas": replicas}
	o.SetManagedFields([]metav1.ManagedFieldsEntry{
		{Manager: "kustomize-controller", Operation: "Update", APIVersion: "apps/v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:selector":{}}}`)},
		{Manager: by, Operation: "Apply", APIVersion: "apps/v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`)},
	})
	return o
}

func TestAbsent(t *testing.T) {
	apps := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": map[string]any{"name": "apps", "namespace": "flux-system"},
		"status": map[string]any{"inventory": map[string]any{"entries": []any{
			map[string]any{"id": "app_app_apps_Deployment", "v": "v1"}, map[string]any{"id": "app_app__Service", "v": "v1"},
			map[string]any{"id": "flux-system_other_kustomize.toolkit.fluxcd.io_Kustomization", "v": "v1"},
		}}},
	}}
	pod := func(namespace, name string) clusters.Component {
		return clusters.Component{Namespace: namespace, Name: name + "-749b678b7f-6q5mx", State: "Running"}
	}
	services := []*unstructured.Unstructured{deployment("fluxdemo", "git", 1, "fluxdemo"), deployment("fluxdemo", "inbox", 1, "fluxdemo")}
	pods := []clusters.Component{pod("fluxdemo", "git"), pod("fluxdemo", "inbox"), pod("app", "app")}
	for name, tt := range map[string]struct {
		there []*unstructured.Unstructured
		pods  []clusters.Component
		want  string
	}{
		"all is there":    {append(slices.Clone(services), deployment("app", "app", 1, "x")), pods, ""},
		"no inbox":        {[]*unstructured.Unstructured{services[0], deployment("app", "app", 1, "x")}, pods[:1:1], "fluxdemo/inbox Missing, app/app NoPod"},
		"scaled to zero":  {append(slices.Clone(services), deployment("app", "app", 0, "kubectl")), pods[:2], "app/app ScaledToZero"},
		"Git says zero":   {append(slices.Clone(services), deployment("app", "app", 0, "kustomize-controller")), pods[:2], ""},
		"the app is gone": {services, pods[:2], "app/app Missing"},
	} {
		t.Run(name, func(t *testing.T) {
			builder := fake.NewClientBuilder().WithReturnManagedFields()
			for _, o := range tt.there {
				builder = builder.WithObjects(o)
			}
			rows, err := expected(true, []*unstructured.Unstructured{apps}).absent(t.Context(), builder.Build(), tt.pods)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, row := range rows {
				got = append(got, fmt.Sprintf("%s/%s %s", row.Namespace, row.Name, row.State))
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	var got []string
	for _, o := range expected(true, []*unstructured.Unstructured{apps}).missing([]Object{{Kind: "GitRepository", Namespace: "flux-system", Name: "flux-system"}}) {
		got = append(got, o.Kind+"/"+o.Name+" "+o.Ready)
	}
	if want := []string{"Receiver/flux-system Missing", "Kustomization/flux-system Missing", "Kustomization/other Missing"}; !slices.Equal(got, want) {
		t.Errorf("missing: got %q, want %q", got, want)
	}
	if n := len(expected(false, nil).deployments); n != 6 {
		t.Errorf("%d Deployments without a fleet, want 4 of Flux and 2 of the demo", n)
	}
}

func TestAnswering(t *testing.T) {
	urls := demo.URLs{Git: "http://git", Inbox: "http://inbox", App: "http://app", Upstream: "http://forge"}
	got := answering(urls, []clusters.Component{
		{Namespace: "fluxdemo", Name: "git-d75946cfc-7mvvg", State: "Running"}, {Namespace: "fluxdemo", Name: "inbox", State: Missing},
		{Namespace: "app", Name: "app-749b678b7f-6q5mx", State: "NotReady"},
	})
	if want := (demo.URLs{Git: "http://git", Upstream: "http://forge"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
