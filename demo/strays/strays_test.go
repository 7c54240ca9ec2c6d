package strays

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestByPeople(t *testing.T) {
	up := time.Now()
	object := func(kind, name string, managers []string, changes ...func(*Object)) *Object {
		o := &Object{}
		o.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: kind})
		o.Name, o.CreationTimestamp = name, metav1.NewTime(up.Add(time.Minute))
		for _, m := range managers {
			o.ManagedFields = append(o.ManagedFields, metav1.ManagedFieldsEntry{Manager: m})
		}
		for _, change := range changes {
			change(o)
		}
		return o
	}
	people := []string{"kubectl-create"}
	for name, tt := range map[string]struct {
		object *Object
		want   bool
	}{
		"a namespace of a learner":          {object("Namespace", "mine", people), true},
		"a ConfigMap that others write too": {object("ConfigMap", "notes", []string{"kube-controller-manager", "kubectl-edit"}), true},
		"without managers":                  {object("ConfigMap", "notes", nil), true},
		"a copy of an object of Flux":       {object("ConfigMap", "copy", []string{"kubectl-client-side-apply"}, func(o *Object) { o.Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps"} }), true},
		"from before":                       {object("Namespace", "mine", people, func(o *Object) { o.CreationTimestamp = metav1.NewTime(up) }), false},
		"being deleted":                     {object("Namespace", "mine", people, func(o *Object) { now := metav1.Now(); o.DeletionTimestamp = &now }), false},
		"it has an owner":                   {object("Pod", "app-1", people, func(o *Object) { o.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet"}} }), false},
		"the demo's":                        {object("Deployment", "git", []string{"fluxdemo", "kubectl-edit"}, func(o *Object) { o.Labels = map[string]string{"fluxdemo.github.io/name": "fluxdemo"} }), false},
		"the supervisor's":                  {object("StorageClass", "standard", []string{"fluxdemo"}), false},
		"a bootstrap role":                  {object("ClusterRole", "view", []string{"someone"}, func(o *Object) { o.Labels = map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"} }), false},
		"the root certificate":              {object("ConfigMap", "kube-root-ca.crt", people), false},
		"the default account":               {object("ServiceAccount", "default", people), false},
		"another account":                   {object("ServiceAccount", "mine", people), true},
		"Kubernetes's":                      {object("ConfigMap", "extension-apiserver-authentication", []string{"kube-apiserver"}), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := byPeople(tt.object, up); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
