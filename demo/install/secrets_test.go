package install

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/apply"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

func TestWebhookURL(t *testing.T) {
	const want = "http://webhook-receiver.flux-system.svc.cluster.local/hook/"
	got := webhookURL("token")
	if len(got) != len(want)+64 || got[:len(want)] != want {
		t.Errorf("got %s", got)
	}
	if got == webhookURL("other") {
		t.Error("another token has the same path")
	}
}

// alone is a cluster that is the demo's.
type alone struct{ clusters.Cluster }

func (alone) Kubeconfig() string { return "" }

// TestInboxToken gives the cluster of an earlier version a token for the inbox, which Flux and the inbox share, and
// keeps everything else.
func TestInboxToken(t *testing.T) {
	c := fake.NewClientBuilder().WithObjects(
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: demo.FluxNamespace, Name: "webhook-token", UID: types.UID("1")},
			Data:       map[string][]byte{"token": []byte("hook")},
		},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: demo.DemoNamespace, Name: "git", UID: types.UID("2")},
			Data:       map[string][]byte{"username": []byte("demo"), "password": []byte("old"), "webhook-token": []byte("hook")},
		},
	).Build()
	owner, err := ownership.New(c, alone{})
	if err != nil {
		t.Fatal(err)
	}
	var first string
	for range 2 {
		s := newSecrets(apply.New(c, owner))
		if err := s.ensure(t.Context(), nil, ""); err != nil {
			t.Fatal(err)
		}
		git, err := demo.ReadSecret(t.Context(), c, demo.DemoNamespace, "git")
		if err != nil {
			t.Fatal(err)
		}
		if git["password"] != "old" || s.password != "old" || git["webhook-token"] != "hook" {
			t.Errorf("it changed what was there: %v", git)
		}
		token := git[demo.InboxToken]
		if first == "" {
			first = token
		}
		if len(token) < 26 || token != first {
			t.Errorf("the token is %q, and was %q", token, first)
		}
		if git[demo.InboxUnsigned] != "" {
			t.Error("what is not signed is accepted before the fleet is known")
		}
		// The API server moves stringData to data, the fake one does not.
		secret := &corev1.Secret{}
		if err := c.Get(t.Context(), types.NamespacedName{Namespace: demo.FluxNamespace, Name: demo.InboxSecret}, secret); err != nil {
			t.Fatal(err)
		}
		if secret.StringData["token"] != token {
			t.Errorf("Flux has another token: %v", secret)
		}
	}
	if err := newSecrets(apply.New(c, owner)).unsigned(t.Context()); err != nil {
		t.Fatal(err)
	}
	if git, err := demo.ReadSecret(t.Context(), c, demo.DemoNamespace, "git"); err != nil || git[demo.InboxUnsigned] == "" || git[demo.InboxToken] != first {
		t.Errorf("%v, %v", git, err)
	}
}
