package existing

import (
	"errors"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
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
		"another user":  {want: "requires the role cluster-admin"},
		"no answer":     {err: errors.New("it is away"), want: "checking your permissions on the cluster: it is away"},
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
