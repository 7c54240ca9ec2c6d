package object

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// Rollout is how far a Deployment is, in pods.
type Rollout struct {
	Wanted    int64 // spec.replicas, 1 if it is not set
	Total     int64 // that there are, old ones too
	Updated   int64 // of the new version
	Available int64 // of any version
	// Observed tells that its controller has seen the Deployment's last change; the pods are of an earlier one if not.
	Observed bool
}

// RolloutOf reads a Deployment's.
func RolloutOf(o *unstructured.Unstructured) Rollout {
	wanted, found, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
	if !found {
		wanted = 1
	}
	return Rollout{
		Wanted: wanted, Total: Number(o, "status", "replicas"),
		Updated: Number(o, "status", "updatedReplicas"), Available: Number(o, "status", "availableReplicas"),
		Observed: Number(o, "status", "observedGeneration") >= o.GetGeneration(),
	}
}

// Done reports whether all wanted pods are new ones, and no others are left. They need not be available.
func (r Rollout) Done() bool { return r.Observed && r.Updated >= r.Wanted && r.Total <= r.Wanted }

// DependsOn returns the names of what a Kustomization or a HelmRelease waits for, in their order.
func DependsOn(o *unstructured.Unstructured) []types.NamespacedName {
	list, _, _ := unstructured.NestedSlice(o.Object, "spec", "dependsOn")
	var names []types.NamespacedName
	for _, each := range list {
		on, _ := each.(map[string]any)
		name, _ := on["name"].(string)
		namespace, _ := on["namespace"].(string)
		if namespace == "" {
			namespace = o.GetNamespace()
		}
		names = append(names, types.NamespacedName{Namespace: namespace, Name: name})
	}
	return names
}
