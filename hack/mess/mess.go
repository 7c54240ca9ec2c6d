// Package mess lists what a learner may do to a demo before a reset. Tests and the benchmark of resets use it.
package mess

import "math/rand/v2"

// All returns lines for bash in a clone of the fleet, with the environment that `fluxdemo env` makes. One may be in the
// way of another: a line that fails has changed nothing that matters.
func All() []string {
	return []string{
		`kubectl -n app scale deployment app --replicas=0`,
		`kubectl -n app delete deployment app`,
		`kubectl -n app delete service app`,
		`kubectl delete namespace app --wait=false`,
		`kubectl delete namespace playground --wait=false`,
		`kubectl -n app set image deployment/app app=nowhere/nothing:1`,
		`kubectl -n app annotate deployment app kustomize.toolkit.fluxcd.io/reconcile=disabled --overwrite`,
		`kubectl -n playground create deployment guest-$RANDOM --image=nginx`,
		`kubectl -n playground run guest-$RANDOM --image=nginx`,
		`kubectl -n playground create job guest-$RANDOM --image=busybox -- true`,
		`kubectl create namespace guest-$RANDOM --dry-run=client -o yaml | kubectl label --local -f - fluxdemo.github.io/walk=guest -o yaml | kubectl apply -f -`,
		`kubectl -n default create configmap guest-$RANDOM`,
		`flux suspend kustomization apps`,
		`flux suspend source git flux-system`,
		`kubectl -n flux-system delete receiver flux-system`,
		`kubectl -n flux-system delete gitrepository flux-system --wait=false`,
		`kubectl -n flux-system scale deployment kustomize-controller --replicas=0`,
		`kubectl -n flux-system delete pod -l app=source-controller --wait=false`,
		`flux create kustomization guest-$RANDOM --source=GitRepository/flux-system --path=./nowhere --interval=1m --timeout=5s; true`,
		`sed -i 's/COLOR=.*/COLOR=gold/' apps/demo/app/app.env && git commit -qam Gold && git push -q`,
		`sed -i 's/replicas: 1/replicas: lots/' apps/base/app/deployment.yaml && git commit -qam Lots && git push -q`,
		`git rm -q clusters/demo/apps.yaml && git commit -qm 'No apps' && git push -q`,
		`printf 'nonsense: [' > clusters/demo/nonsense.yaml && git add . && git commit -qm Nonsense && git push -q`,
		`git commit -q --amend --allow-empty -m Amended && git push -qf`,
		`git checkout -q --orphan other && git commit -q -m Other && git push -qf origin HEAD:main`,
	}
}

// Some returns n of All, in any order.
func Some(random *rand.Rand, n int) []string {
	all := All()
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(n, len(all))]
}
