package existing

import (
	"errors"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	typedfake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestMayDoEverything(t *testing.T) {
	for name, test := range map[string]struct {
		allowed bool
		err     error
		want    string // of the error; none: ""
	}{
		"administrator": {allowed: true},
		"another user":  {want: "you are no administrator"},
		"no answer":     {err: errors.New("it is away"), want: "asking what you may do on the cluster: it is away"},
	} {
		t.Run(name, func(t *testing.T) {
			client := typedfake.NewClientset()
			client.PrependReactor("create", "selfsubjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, &authorizationv1.SelfSubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: test.allowed}}, test.err
			})
			err := mayDoEverything(t.Context(), client)
			if got := errText(err); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
			if len(client.Actions()) != 1 {
				t.Errorf("it has done %v", client.Actions())
			}
		})
	}
}

func TestFindFlux(t *testing.T) {
	follows := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": map[string]any{"name": "flux-system", "namespace": "flux-system"},
	}}
	for name, test := range map[string]struct {
		served  bool
		objects []runtime.Object
		there   bool
		want    string
	}{
		"no Flux":           {},
		"Flux":              {served: true, there: true},
		"one that is taken": {served: true, objects: []runtime.Object{follows}, want: "follows a repository of its own (gitrepository/flux-system in flux-system)"},
	} {
		t.Run(name, func(t *testing.T) {
			typed := typedfake.NewClientset()
			if test.served {
				typed.Resources = []*metav1.APIResourceList{{GroupVersion: "source.toolkit.fluxcd.io/v1"}}
			}
			c := &Cluster{options: Options{Flux: "flux-system"}}
			there, err := c.findFlux(t.Context(), clients{typed: typed, dynamic: fake.NewSimpleDynamicClientWithCustomListKinds(
				runtime.NewScheme(), map[schema.GroupVersionResource]string{gitRepositories(): "GitRepositoryList"}, test.objects...)})
			if got := errText(err); there != test.there || (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("%v, %q; want %v, %q", there, got, test.there, test.want)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceSystem, UID: "1-2-3"}}
	if uid, err := (clients{typed: typedfake.NewClientset(system)}).identity(t.Context()); err != nil || uid != "1-2-3" {
		t.Errorf("%q, %v", uid, err)
	}
	if _, err := (clients{typed: typedfake.NewClientset()}).identity(t.Context()); err == nil || !strings.Contains(err.Error(), "reading the namespace kube-system") {
		t.Errorf("without it: %v", err)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
