package binding

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/diagram/flowchart"
)

func TestGuess(t *testing.T) {
	for label, want := range map[string]Target{
		"User": User, "Somebody": User, "the developer": User, "You": User,
		"Git Host": Git, "GitHub": Git, "Git": Git, "Git Repository": Git,
		"Webhook": Hook, "Flux": Flux, "FluxCD": Flux, "Kubernetes": Kubernetes, "K8s": Kubernetes, "K8s Cluster": Kubernetes,
		"Your app": App, "📥 Inbox": Inbox, "Slack": Inbox, "OCI registry": Registry,
		"GitRepository":                  "GitRepository/flux-system/flux-system",
		"gitrepositories":                "GitRepository/flux-system/flux-system",
		"Kustomization":                  "Kustomization/flux-system/apps",
		"Kustomizations":                 "Kustomization/flux-system/apps",
		"Kustomization infrastructure":   "Kustomization/flux-system/infrastructure",
		"Kustomization: infrastructure":  "Kustomization/flux-system/infrastructure",
		"Kustomization/infrastructure":   "Kustomization/flux-system/infrastructure",
		"HelmRelease/app/podinfo":        "HelmRelease/app/podinfo",
		"Helm Release":                   "HelmRelease/flux-system/flux-system",
		"OCIRepository":                  "OCIRepository/flux-system/flux-system",
		"Receiver":                       "Receiver/flux-system/flux-system",
		"Webhook Receiver":               "Receiver/flux-system/flux-system",
		"Provider":                       "Provider/flux-system/inbox",
		"Alert":                          "Alert/flux-system/inbox",
		"Deployment":                     "Deployment/app/app",
		"Deployment app":                 "Deployment/app/app",
		"Deployment source-controller":   "Deployment/flux-system/source-controller",
		"source-controller":              "Deployment/flux-system/source-controller",
		"Kustomize Controller":           "Deployment/flux-system/kustomize-controller",
		"kustomize-controller shard1":    "Deployment/flux-system/kustomize-controller-shard1",
		"Shard 2":                        "Deployment/flux-system/kustomize-controller-shard2",
		"A":                              "",
		"I":                              "",
		"kustomization.yaml":             "",
		"Kustomization of the platform":  "",
		"a git repository that we trust": "",
		"Something else":                 "",
	} {
		if got := guess(label, false, DemoDefaults()); got != want {
			t.Errorf("%q: got %q, want %q", label, got, want)
		}
	}
	if got := guess("Git Repository", true, DemoDefaults()); got != "GitRepository/flux-system/flux-system" {
		t.Errorf("inside Flux: got %q", got)
	}
}

// pipeline is drawn as talks draw it: pulls against the data, nested boxes, groups.
const pipeline = `flowchart LR
  subgraph The internet
    D((Developer)) --> H(Git Host)
    W(Webhook)
  end
  H --> W -- tells --> R
  subgraph Cluster
    subgraph Flux
      R{{Receiver}} --> S
      S[(Git Repository)] -- pull --> H
      K((Kustomization)) -- pull --> S
      S -- tells --> K
    end
    K --> C([K8s])
    K --> P[Deployment]
    K --> A[Alert] --> I>Inbox]
    X[something] --> K
  end
`

func bound(t *testing.T, src string, explicit map[string]string) Binding {
	t.Helper()
	c, err := flowchart.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Bind(c, explicit, DemoDefaults())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func edges(b Binding) string {
	var s strings.Builder
	for _, e := range b.Edges {
		fmt.Fprintf(&s, "%d %s", e.Index, strings.Join(e.Carries, ","))
		if e.Reverse {
			s.WriteString(" reversed")
		}
		s.WriteString("\n")
	}
	return s.String()
}

func TestBind(t *testing.T) {
	b := bound(t, pipeline, nil)
	const source, apps = "GitRepository/flux-system/flux-system", "Kustomization/flux-system/apps"
	want := fmt.Sprint(map[string]Target{
		"D": User, "H": Git, "W": Hook, "R": "Receiver/flux-system/flux-system", "S": source, "K": apps, "C": Kubernetes,
		"P": "Deployment/app/app", "A": "Alert/flux-system/inbox", "I": Inbox,
	})
	if got := fmt.Sprint(b.Nodes); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got := fmt.Sprint(b.Subgraphs); got != "map[Cluster:kubernetes Flux:flux]" {
		t.Errorf("boxes: %s", got)
	}
	if got, want := edges(b), `0 push
1 webhook
2 webhook
3 trigger
4 fetch reversed
5 artifact reversed
6 artifact
7 apply,drift
8 apply,drift
9 notify
10 notify
`; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}

	for _, tt := range []struct {
		pulse Pulse
		want  []int
	}{
		{Pulse{What: Push, From: User, To: Git}, []int{0}},
		{Pulse{What: Webhook, From: Git, To: Hook}, []int{1}},
		{Pulse{What: Webhook, From: Hook, To: "Receiver/flux-system/flux-system"}, []int{2}},
		{Pulse{What: Webhook, From: Hook, To: "Receiver/flux-system/other"}, nil},
		{Pulse{What: Trigger, From: "Receiver/flux-system/flux-system", To: source}, []int{3}},
		{Pulse{What: Fetch, From: Git, To: source}, []int{4}},
		{Pulse{What: Artifact, From: source, To: apps}, []int{5, 6}},
		{Pulse{What: Artifact, From: source, To: "Kustomization/flux-system/infrastructure"}, nil},
		{Pulse{What: Apply, From: apps, To: Kubernetes}, []int{7, 8}},
		{Pulse{What: Drift, From: apps, To: Kubernetes, Object: "Service/app/app"}, []int{7}},
		{Pulse{What: Drift, From: apps, To: Kubernetes, Object: "Deployment/app/app"}, []int{7, 8}},
		{Pulse{What: Notify, From: apps, To: Inbox}, []int{9, 10}},
	} {
		var got []int
		for _, e := range b.Edges {
			if e.Travels(tt.pulse) {
				got = append(got, e.Index)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s %s to %s: got %v, want %v", tt.pulse.What, tt.pulse.From, tt.pulse.To, got, tt.want)
		}
	}
}

// TestBindSmall is the diagram in which Flux is one circle.
func TestBindSmall(t *testing.T) {
	b := bound(t, "flowchart LR\nA((User)) --> B(Git) --> F((Flux)) --> L((Kubernetes))\nF --> A", nil)
	if got, want := edges(b), "0 push\n1 webhook,fetch\n2 apply,drift\n3 notify\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for _, tt := range []struct {
		pulse Pulse
		edge  int
	}{
		{Pulse{What: Webhook, From: Hook, To: "Receiver/flux-system/flux-system"}, 1},
		{Pulse{What: Fetch, From: Git, To: "GitRepository/flux-system/other"}, 1},
		{Pulse{What: Apply, From: "Kustomization/flux-system/apps", To: Kubernetes}, 2},
		{Pulse{What: Notify, From: "Kustomization/flux-system/apps", To: Inbox}, 3},
	} {
		for i, e := range b.Edges {
			if e.Travels(tt.pulse) != (i == tt.edge) {
				t.Errorf("%s on edge %d: %v", tt.pulse.What, i, e.Travels(tt.pulse))
			}
		}
	}
}

func TestBindExplicit(t *testing.T) {
	const src = "flowchart LR\nsubgraph Box\nA[Build] --> B[Flux]\nend"
	b := bound(t, src, map[string]string{"A": "Kustomization/platform", "B": "none", "Box": "kubernetes"})
	if got := fmt.Sprint(b.Nodes, b.Subgraphs); got != "map[A:Kustomization/flux-system/platform] map[Box:kubernetes]" {
		t.Errorf("got %s", got)
	}
	c, err := flowchart.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ id, target, want string }{
		{"C", "flux", `the diagram has no node "C" to bind to "flux"`},
		{"A", "Secret/default/git", `node "A": "Secret/default/git" is not a target; valid values: user, git, webhook, flux, kubernetes, app, inbox, registry, or Kind/namespace/name with a kind such as GitRepository`},
		{"A", "Kustomization/Apps", `node "A": "Kustomization/Apps" is not a target: "Apps" is not a valid name in Kubernetes`},
		{"A", "Kustomization/a/b/c", `node "A": "Kustomization/a/b/c" is not a target: use Kind/namespace/name for an object`},
	} {
		if _, err := Bind(c, map[string]string{tt.id: tt.target}, DemoDefaults()); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v", tt.target, err)
		}
	}
}
