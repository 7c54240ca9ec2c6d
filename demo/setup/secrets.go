package setup

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo/ownership"
	githost "github.com/fluxdemo/fluxdemo/demo/services/git"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// GitUser is who pushes to the demo's Git host.
const GitUser = "demo"

// secretNames are the Secrets that up makes, one of them only with a forge.
func secretNames() []types.NamespacedName {
	return []types.NamespacedName{
		{Namespace: FluxNamespace, Name: "webhook-token"},
		{Namespace: FluxNamespace, Name: upstreamSecret},
		{Namespace: DemoNamespace, Name: "git"},
	}
}

// secrets makes the demo's Secrets, with random content, and knows what is
// in them.
type secrets struct {
	client             client.Client
	owner              *ownership.Owner
	username, password string
	source             manifests.Source // what Flux is to follow
}

func newSecrets(a *applier) *secrets {
	return &secrets{client: a.client, owner: a.owner, username: GitUser}
}

// ensure creates the Secrets that are missing. The Git host's has the same
// token as the Receiver's, so if one is new, so is the other. An upstream is
// kept with the Git host's, and its password also where Flux reads it.
//
// account is whose rights the demo's Kustomizations need, "" for Flux's own;
// it is kept there too.
func (s *secrets) ensure(ctx context.Context, upstream *githost.Upstream, account string) error {
	token, err := s.get(ctx, FluxNamespace, "webhook-token", map[string]string{"token": rand.Text()})
	if err != nil {
		return err
	}
	data := map[string]string{
		"username":      GitUser,
		"password":      rand.Text(),
		"webhook-token": token["token"],
		"webhook-url":   webhookURL(token["token"]),
	}
	if account != "" {
		data[serviceAccount] = account
	}
	if upstream != nil {
		data[upstreamURL], data[upstreamUsername], data[upstreamPassword] = upstream.URL, upstream.Username, upstream.Password
	}
	git, err := s.get(ctx, DemoNamespace, "git", data)
	if err != nil {
		return err
	}
	if upstream != nil && (git[upstreamURL] != upstream.URL || git[upstreamPassword] != upstream.Password) {
		return errors.New("this cluster was made with another --git-url or token; `fluxdemo down`, then `up` makes one with these")
	}
	s.password, s.source = git["password"], sourceIn(git)
	if s.source.Secret != "" {
		_, err = s.get(ctx, FluxNamespace, s.source.Secret, map[string]string{"username": git[upstreamUsername], "password": git[upstreamPassword]})
	}
	return err
}

// webhookURL is where the Receiver takes webhooks. Flux makes its path from
// the token and the Receiver's name and namespace
// (notification-controller, api/v1, Receiver.GetWebhookPath).
func webhookURL(token string) string {
	sum := sha256.Sum256([]byte(token + SyncName + FluxNamespace))
	return fmt.Sprintf("http://webhook-receiver.%s.svc.cluster.local/hook/%x", FluxNamespace, sum)
}

// get returns the data of a Secret, which it creates with data if need be.
func (s *secrets) get(ctx context.Context, namespace, name string, data map[string]string) (map[string]string, error) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels: map[string]string{
				"app.kubernetes.io/part-of": "fluxdemo", "app.kubernetes.io/managed-by": "fluxdemo",
				ownership.MarkLabel: ownership.MarkValue,
			},
		},
		StringData: data,
	}
	// It is looked for first: on a cluster of others, what is about to be
	// made is recorded.
	there := &corev1.Secret{}
	err := s.client.Get(ctx, client.ObjectKeyFromObject(secret), there)
	switch {
	case apierrors.IsNotFound(err):
		if err := s.owner.Create(ctx, secret); err != nil {
			return nil, fmt.Errorf("creating Secret %s/%s: %w", namespace, name, err)
		}
		return data, nil
	case err != nil:
		return nil, fmt.Errorf("reading Secret %s/%s: %w", namespace, name, err)
	}
	if err := s.owner.Check(ctx, there); err != nil {
		return nil, err
	}
	return secretData(there), nil
}

func readSecret(ctx context.Context, c client.Reader, namespace, name string) (map[string]string, error) {
	secret := &corev1.Secret{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret); err != nil {
		return nil, fmt.Errorf("reading Secret %s/%s: %w", namespace, name, err)
	}
	return secretData(secret), nil
}

func secretData(secret *corev1.Secret) map[string]string {
	data := map[string]string{}
	for key, value := range secret.Data {
		data[key] = string(value)
	}
	return data
}

// GitPassword returns the password for pushing to the demo's Git host.
func GitPassword(ctx context.Context, c client.Reader) (string, error) {
	data, err := readSecret(ctx, c, DemoNamespace, "git")
	if err != nil {
		return "", err
	}
	if data["password"] == "" {
		return "", errors.New("Secret fluxdemo/git has no password; `fluxdemo down` and `up` make a new one")
	}
	return data["password"], nil
}
