package demo

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/manifests"
)

// Keys of the Git host's Secret.
const (
	UpstreamURL       = "upstream-url"
	UpstreamUsername  = "upstream-username"
	UpstreamPassword  = "upstream-password"
	ServiceAccountKey = "service-account" // whose rights Kustomizations apply with
	InboxToken        = "inbox-token"     // with which Flux signs notifications
	InboxUnsigned     = "inbox-unsigned"  // there if the fleet's Provider does not sign
)

// InboxSecret is what Flux reads the inbox's token from, under the key token.
const InboxSecret = "inbox-token"

// UpstreamSecret is what Flux reads the password from.
const UpstreamSecret = "git-upstream"

// SourceIn is what Flux follows, as the Git host's Secret says.
func SourceIn(host map[string]string) manifests.Source {
	source := manifests.Source{URL: host[UpstreamURL], ServiceAccount: host[ServiceAccountKey]}
	if host[UpstreamPassword] != "" {
		source.Secret = UpstreamSecret
	}
	return source
}

// ReadSecret returns the data of a Secret. The error names the Secret.
func ReadSecret(ctx context.Context, c client.Reader, namespace, name string) (map[string]string, error) {
	secret := &corev1.Secret{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret); err != nil {
		return nil, fmt.Errorf("reading Secret %s/%s: %w", namespace, name, err)
	}
	return SecretData(secret), nil
}

// SecretData returns the data of a Secret as text.
func SecretData(secret *corev1.Secret) map[string]string {
	data := map[string]string{}
	for key, value := range secret.Data {
		data[key] = string(value)
	}
	return data
}

// GitPassword returns the password for pushing to the demo's Git host.
func GitPassword(ctx context.Context, c client.Reader) (string, error) {
	data, err := ReadSecret(ctx, c, DemoNamespace, "git")
	if err != nil {
		return "", err
	}
	if data["password"] == "" {
		return "", errors.New("the Secret fluxdemo/git has no password; `fluxdemo down` and `fluxdemo up` create a new one")
	}
	return data["password"], nil
}
