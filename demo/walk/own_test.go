package walk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// ownWalk is a walk whose only step runs commands.
func ownWalk(t *testing.T, front, commands string) *Walk {
	t.Helper()
	src := "---\nduration: 1m\n" + front + "---\n# Own\n\n## Step\n\n```sh\n" + commands + "\n```\n\n```sh check\ntrue\n```\n\n```sh undo\ntrue\n```\n"
	w, err := Parse("own.md", []byte(src))
	if err != nil {
		t.Fatalf("%v in\n%s", err, src)
	}
	return w
}

func TestLint(t *testing.T) {
	for commands, want := range map[string]string{
		// Flux's own settings.
		"kubectl -n flux-system patch deployment kustomize-controller -p x":                                             "9:1: it changes Flux's own deployment/kustomize-controller",
		"kubectl patch deploy/source-controller --type=json --patch-file=x --namespace flux-system":                     "Flux's own deployment/source-controller",
		"kubectl -nflux-system scale --replicas 0 deployments.apps helm-controller":                                     "deployment/helm-controller",
		"kubectl -n flux-system rollout restart deployment/kustomize-controller":                                        "deployment/kustomize-controller",
		"kubectl -n flux-system set env deployment/kustomize-controller A=b":                                            "deployment/kustomize-controller",
		"kubectl -n flux-system set image deployment/kustomize-controller manager=x":                                    "deployment/kustomize-controller",
		"kubectl -n flux-system delete pod source-controller-0":                                                         "pod/source-controller-0",
		"true && kubectl -n flux-system delete pod source-controller-0":                                                 "9:9: it changes Flux's own",
		"true\nfor c in source kustomize; do\n  kubectl -n flux-system delete deployment $c-controller\ndone":           "11:3: it changes Flux's own deployment/…-controller",
		"flux=\"kubectl -n flux-system\"\n$flux scale deployment/kustomize-controller --replicas=2":                     "10:1: it changes Flux's own",
		"ns=flux-system\nkubectl -n $ns delete deployment/source-watcher":                                               "deployment/source-watcher",
		"kubectl -n \"$(echo flux-system)\" delete deployment/source-watcher":                                           "deployment/source-watcher",
		"echo x | xargs kubectl -n flux-system scale deployment/kustomize-controller --replicas":                        "deployment/kustomize-controller",
		"sh -c 'kubectl -n flux-system delete deployment/kustomize-controller'":                                         "deployment/kustomize-controller",
		"kubectl -n flux-system get deployment kustomize-controller -o yaml |\n  sed s/a/b/ | kubectl replace -f -":     "one of Flux's own Deployments",
		"kubectl -n flux-system get deployment kustomize-controller -o yaml > a.yaml\nkubectl apply -f \"$PWD/a.yaml\"": "10:1: it changes one of Flux's own",
		"kubectl apply -f - <<END\nkind: Deployment\nmetadata:\n  name: helm-controller\nEND":                           "one of Flux's own Deployments",
		"flux install":                          "flux install changes Flux itself",
		"flux uninstall --silent":               "flux uninstall",
		"flux -n x bootstrap git --url=ssh://x": "flux bootstrap",
		"for t in a b; do\n  flux create tenant $t --with-namespace=$t\ndone": "10:3: flux create tenant",
		// Others' objects.
		"kubectl delete namespace -l toolkit.fluxcd.io/tenant":            "selects by a label that others use",
		"kubectl -n app label deployment --selector=app=x a=b":            "selects by a label that others use",
		"kubectl -n app delete configmap -l '!fluxdemo.github.io/walk'":   "selects by a label that others use",
		"kubectl -n app delete configmap -l 'fluxdemo.github.io/walk!=x'": "selects by a label that others use",
		"kubectl -n app delete configmap -l \"$1\"":                       "selects by a label that others use",
		"kubectl annotate kustomization -A --all a=b":                     "works in all namespaces",
		"kubectl delete pods --all-namespaces -l app=x":                   "works in all namespaces",
		"kubectl label nodes --all a=b":                                   "--all also selects objects of others",
		"kubectl -n app delete deployment --all":                          "--all also selects objects of others",
		"kubectl delete namespace team-a --ignore-not-found":              "removes a namespace by its name",
		"kubectl delete ns/team-a":                                        "removes a namespace by its name",
		"kubectl delete crd gitrepositories.source.toolkit.fluxcd.io":     "removes a customresourcedefinition by its name",
		"kubectl drain node-1":                                            "changes a node",
		// Where the fleet began.
		"git -C start reset -q \"$(git -C start rev-list --max-parents=0 HEAD)\"": `9:26: after a rewrite of the history, the fleet's first commit is not the commit that up pushed`,
		// What does no harm.
		"kubectl -n flux-system get deployment kustomize-controller -o yaml | grep args":           "",
		"kubectl -n flux-system rollout status deployment/kustomize-controller":                    "",
		"kubectl -n flux-system patch kustomization greetings --type=merge -p x":                   "",
		"kubectl -n flux-system annotate kustomization/apps a=b deployment/kustomize-controller=x": "",
		"kubectl -n app scale deployment app --replicas=3":                                         "",
		"kubectl -n app patch deployment kustomize-controller -p x":                                "",
		"kubectl -n app delete configmap guest":                                                    "",
		"kubectl delete namespace -l fluxdemo.github.io/walk=mine":                                 "",
		"ours=fluxdemo.github.io/walk=mine\nkubectl delete namespace -l $ours":                     "",
		"kubectl delete pods -A -l 'fluxdemo.github.io/walk in (a, b)'":                            "",
		"kubectl get pods -A":                              "",
		"kubectl wait pods --all --for=condition=Ready":    "",
		"kubectl delete namespace x --dry-run=server":      "",
		"kubectl label --local -f - -o json -l app=x a=b":  "",
		"kubectl create namespace mine":                    "",
		"flux install --export":                            "",
		"flux create tenant a --with-namespace=a --export": "",
		"flux create source git install --url=http://x":    "",
		"echo kubectl delete namespace x":                  "",
		"git fetch -q \"$FLEET_BEGINNING\" main":           "",
	} {
		w := ownWalk(t, "", commands)
		err := errors.Join(w.Lint()...)
		if want == "" {
			if err != nil || w.NeedsOwnCluster() != "" {
				t.Errorf("%s: %v", commands, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s:\n got %v\nwant %s", commands, err, want)
		}
		first := strings.Contains(want, "first commit")
		if said := ownWalk(t, "cluster: own\n", commands); len(said.Lint()) > 0 != first || said.NeedsOwnCluster() == "" {
			t.Errorf("%s: it says so: %v", commands, said.Lint())
		}
	}
	for front, want := range map[string]string{
		"cluster: kind\n": `own.md:3:10: cluster "kind": the only valid value is own`, "clusters: own\n": "slides, cluster",
	} {
		src := "---\nduration: 1m\n" + front + "---\n# Own\n\n## Step\n\n```sh check\ntrue\n```\n"
		if _, err := Parse("own.md", []byte(src)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", front, err)
		}
	}
}

// TestGuest opens walks on a cluster that is not the demo's alone.
func TestGuest(t *testing.T) {
	plain, says, does := ownWalk(t, "", "true"), ownWalk(t, "cluster: own\n", "true"), ownWalk(t, "", "flux uninstall")
	runner := func(w *Walk) *Runner {
		r, err := NewRunner(w, testOptions(t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for i, tt := range []struct {
		walk  *Walk
		needs []*Runner
		want  string
	}{
		{plain, nil, ""},
		{plain, []*Runner{runner(plain)}, ""},
		{says, nil, "its front matter says so"},
		{does, nil, "flux uninstall changes Flux itself"},
		{plain, []*Runner{runner(plain), runner(says)}, "its front matter says so"},
	} {
		for _, guest := range []bool{false, true} {
			_, err := Open(t.Context(), tt.walk, SessionOptions{Runner: testOptions(t.TempDir()), Needs: tt.needs, Guest: guest})
			var refused *GuestError
			if errors.As(err, &refused) != (guest && tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%d, guest %v: %v", i, guest, err)
			}
		}
	}
}

// followed is a repository with something that follows it.
type followed struct {
	bare
	states   map[string]string
	fails    error
	restored map[string]string // what Await was called with
}

func (f *followed) States(context.Context) (map[string]string, error) { return f.states, f.fails }

func (f *followed) Await(_ context.Context, _ string, before map[string]string) error {
	f.restored = before
	return nil
}

// TestNotReadyBefore takes back steps that began while something was not ready, and looks at what is said about it.
func TestNotReadyBefore(t *testing.T) {
	t.Parallel()
	git := &followed{bare: newBare(t), states: map[string]string{"kustomization/apps": "", "kustomization/notes": "its dependency is not there"}}
	dir := t.TempDir()
	file := dir + "/progress.json"
	o := colourOptions(dir, file, git.bare)
	o.Git = git
	var notes []string
	ev := func(e Event) {
		if e.Kind == Note {
			notes = append(notes, fmt.Sprintf("%d: %s", e.Step.Number, e.Text))
		}
	}
	ses := openSession(t, colours(), o)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(ses.Do(t.Context(), Command{Action: ActionBegin}, ev))
	must(ses.Do(t.Context(), Command{Action: ActionNext}, ev))
	must(ses.Do(t.Context(), Command{Action: ActionNext}, ev)) // nothing new to say
	git.states = map[string]string{"kustomization/apps": "health check failed"}
	must(ses.Do(t.Context(), Command{Action: ActionNext}, ev))
	want := []string{
		"1: Not ready before this step, so Back will not wait for it: kustomization/notes (its dependency is not there)",
		"3: Not ready before this step, so Back will not wait for it: kustomization/apps (health check failed)",
	}
	if strings.Join(notes, "\n") != strings.Join(want, "\n") {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(notes, "\n"), strings.Join(want, "\n"))
	}
	// Another process takes it up.
	ses = openSession(t, colours(), o)
	must(ses.Do(t.Context(), Command{Action: ActionBegin}, nil))
	must(ses.Do(t.Context(), Command{Action: ActionBack}, nil))
	must(ses.Do(t.Context(), Command{Action: ActionBack}, nil)) // its undo forgets Git
	if why := git.restored["kustomization/notes"]; len(git.restored) != 2 || why == "" {
		t.Errorf("Restore was called with %v", git.restored)
	}
	// A cluster that does not answer: Back waits for all.
	git.fails, git.restored = errors.New("no answer"), map[string]string{}
	must(ses.Do(t.Context(), Command{Action: ActionNext}, nil))
	must(ses.Do(t.Context(), Command{Action: ActionBack}, nil))
	if git.restored != nil {
		t.Errorf("Restore was called with %v", git.restored)
	}
}
