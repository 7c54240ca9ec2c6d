package podspec

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	// AccountPath is where Kubernetes mounts a ServiceAccount's credentials.
	// A container gets credentials if, and only if, something is mounted
	// there: admission has left the mount out if they are not wanted.
	AccountPath = "/var/run/secrets/kubernetes.io/serviceaccount"
	// RootCA holds the API server's CA in every namespace. The node
	// knows it already and need not wait until the namespace has it.
	RootCA = "kube-root-ca.crt"

	defaultTokenSeconds = 3600
	// tokenRetry is the wait after a token could not be renewed. There is
	// plenty of time: the old one is good for another fifth of its life.
	tokenRetry = 10 * time.Second
	// tokenTimeout is how long the API server may take to give a token.
	tokenTimeout = 10 * time.Second
)

// tokenKey identifies a token that a volume asks for.
type tokenKey struct {
	audience string
	seconds  int64
}

func tokenRequest(p *corev1.ServiceAccountTokenProjection) tokenKey {
	want := tokenKey{audience: p.Audience, seconds: defaultTokenSeconds}
	if p.ExpirationSeconds != nil {
		want.seconds = *p.ExpirationSeconds
	}
	return want
}

type token struct {
	value   string
	refresh time.Time // when to ask for the next one
}

// Tokens holds the ServiceAccount tokens of one pod. They are bound to the
// pod: the API refuses them once it is deleted.
type Tokens struct {
	api corev1client.ServiceAccountsGetter
	pod *corev1.Pod

	mu   sync.Mutex
	held map[tokenKey]token
}

// NewTokens returns the tokens of a pod; none is asked for yet.
func NewTokens(api corev1client.ServiceAccountsGetter, pod *corev1.Pod) *Tokens {
	return &Tokens{api: api, pod: pod, held: map[tokenKey]token{}}
}

// get returns a token that has at least a fifth of its life before it.
func (t *Tokens) get(ctx context.Context, want tokenKey) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, ok := t.held[want]
	if ok && time.Now().Before(old.refresh) {
		return old.value, nil
	}
	next, err := t.request(ctx, want)
	if err != nil && ok {
		old.refresh = time.Now().Add(tokenRetry)
		t.held[want] = old
		return old.value, nil
	}
	if err != nil {
		return "", err
	}
	t.held[want] = next
	return next.value, nil
}

func (t *Tokens) request(ctx context.Context, want tokenKey) (token, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: &want.seconds,
		BoundObjectRef: &authenticationv1.BoundObjectReference{
			APIVersion: "v1", Kind: "Pod", Name: t.pod.Name, UID: t.pod.UID,
		},
	}}
	if want.audience != "" {
		request.Spec.Audiences = []string{want.audience}
	}
	account := t.pod.Spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	asked := time.Now()
	answer, err := t.api.ServiceAccounts(t.pod.Namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return token{}, fmt.Errorf("asking for a token of service account %s/%s: %w", t.pod.Namespace, account, err)
	}
	life := answer.Status.ExpirationTimestamp.Sub(asked)
	if life <= 0 {
		life = time.Duration(want.seconds) * time.Second
	}
	return token{value: answer.Status.Token, refresh: asked.Add(life * 4 / 5)}, nil
}

// Next returns when the first token has to be renewed; zero if there is none.
func (t *Tokens) Next() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	var first time.Time
	for _, held := range t.held {
		if first.IsZero() || held.refresh.Before(first) {
			first = held.refresh
		}
	}
	return first
}

// WriteKubeconfig writes the kubeconfig of a container to path, and reports
// whether the container has credentials at all. Client libraries read it
// through the KUBECONFIG variable, and read the token's file again as it is
// renewed.
func WriteKubeconfig(path, server, caFile string, pod *corev1.Pod, c *corev1.Container, hostPaths map[string]string) (bool, error) {
	tokenFile := tokenFile(pod, c, hostPaths)
	if tokenFile == "" {
		return false, nil
	}
	const name = "fluxdemo"
	config := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: server, CertificateAuthority: caFile}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {TokenFile: tokenFile}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name, Namespace: pod.Namespace}},
		CurrentContext: name,
	}
	data, err := clientcmd.Write(config)
	if err != nil {
		return false, fmt.Errorf("writing the pod's kubeconfig: %w", err)
	}
	return true, writeFile(path, data, 0o600)
}

// tokenFile returns the host path of a container's ServiceAccount token.
func tokenFile(pod *corev1.Pod, c *corev1.Container, hostPaths map[string]string) string {
	for _, m := range c.VolumeMounts {
		if m.MountPath != AccountPath {
			continue
		}
		for _, v := range pod.Spec.Volumes {
			if v.Name != m.Name || v.Projected == nil {
				continue
			}
			for _, source := range v.Projected.Sources {
				if source.ServiceAccountToken != nil {
					return filepath.Join(hostPaths[v.Name], source.ServiceAccountToken.Path)
				}
			}
		}
	}
	return ""
}
