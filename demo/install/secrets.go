package install

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/apply"
	"github.com/fluxdemo/fluxdemo/demo/services/forge"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// secretNames are the Secrets that up makes, one of them only with a forge.
func secretNames() []types.NamespacedName {
	return []types.NamespacedName{
		{Namespace: demo.FluxNamespace, Name: "webhook-token"},
		{Namespace: demo.FluxNamespace, Name: demo.InboxSecret},
		{Namespace: demo.FluxNamespace, Name: demo.UpstreamSecret},
		{Namespace: demo.DemoNamespace, Name: "git"},
	}
}

// secrets makes the demo's Secrets, with random content, and knows what is
// in them.
type secrets struct {
	apply    *apply.Applier
	password string           // of the Git host
	source   manifests.Source // what Flux is to follow
}

func newSecrets(a *apply.Applier) *secrets {
	return &secrets{apply: a}
}

// ensure creates the Secrets that are missing. The Git host's has the same
// token as the Receiver's, so if one is new, so is the other. An upstream and
// the inbox's token are kept with the Git host's, and its password and the
// token also where Flux reads them.
//
// account is whose rights the demo's Kustomizations need, "" for Flux's own;
// it is kept there too.
func (s *secrets) ensure(ctx context.Context, upstream *forge.Repository, account string) error {
	token, err := s.apply.Secret(ctx, demo.FluxNamespace, "webhook-token", map[string]string{"token": rand.Text()})
	if err != nil {
		return err
	}
	data := map[string]string{
		"username":      demo.GitUser,
		"password":      rand.Text(),
		"webhook-token": token["token"],
		"webhook-url":   webhookURL(token["token"]),
		demo.InboxToken: rand.Text(),
	}
	if account != "" {
		data[demo.ServiceAccountKey] = account
	}
	if upstream != nil {
		data[demo.UpstreamURL], data[demo.UpstreamUsername], data[demo.UpstreamPassword] = upstream.URL, upstream.Username, upstream.Password
	}
	git, err := s.apply.Secret(ctx, demo.DemoNamespace, "git", data)
	if err != nil {
		return err
	}
	if upstream != nil && (git[demo.UpstreamURL] != upstream.URL || git[demo.UpstreamPassword] != upstream.Password) {
		return errors.New("this cluster was created with another --git-url or token; run `fluxdemo down`, then `fluxdemo up` with the new ones")
	}
	if git[demo.InboxToken] == "" { // an earlier version has made it
		git[demo.InboxToken] = data[demo.InboxToken]
		if err := s.apply.AddToSecret(ctx, demo.DemoNamespace, "git", demo.InboxToken, git[demo.InboxToken]); err != nil {
			return err
		}
	}
	if _, err := s.apply.Secret(ctx, demo.FluxNamespace, demo.InboxSecret, map[string]string{"token": git[demo.InboxToken]}); err != nil {
		return err
	}
	s.password, s.source = git["password"], demo.SourceIn(git)
	if s.source.Secret != "" {
		_, err = s.apply.Secret(ctx, demo.FluxNamespace, s.source.Secret, map[string]string{"username": git[demo.UpstreamUsername], "password": git[demo.UpstreamPassword]})
	}
	return err
}

// unsigned has the inbox accept what is not signed, for a fleet whose Provider
// does not sign.
func (s *secrets) unsigned(ctx context.Context) error {
	return s.apply.AddToSecret(ctx, demo.DemoNamespace, "git", demo.InboxUnsigned, "true")
}

// webhookURL is where the Receiver takes webhooks. Flux makes its path from
// the token and the Receiver's name and namespace
// (notification-controller, api/v1, Receiver.GetWebhookPath).
func webhookURL(token string) string {
	sum := sha256.Sum256([]byte(token + demo.SyncName + demo.FluxNamespace))
	return fmt.Sprintf("http://webhook-receiver.%s.svc.cluster.local/hook/%x", demo.FluxNamespace, sum)
}
