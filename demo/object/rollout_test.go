package object

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

func TestRollout(t *testing.T) {
	deployment := func(generation int64, replicas any, observed, total, updated, available int64) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: map[string]any{
			"spec": map[string]any{},
			"status": map[string]any{
				"observedGeneration": observed, "replicas": total, "updatedReplicas": updated, "availableReplicas": available,
			},
		}}
		if replicas != nil {
			o.Object["spec"] = map[string]any{"replicas": replicas}
		}
		o.SetGeneration(generation)
		return o
	}
	for name, c := range map[string]struct {
		o    *unstructured.Unstructured
		want Rollout
		done bool
	}{
		"one by default":  {deployment(1, nil, 1, 1, 1, 1), Rollout{1, 1, 1, 1, true}, true},
		"not seen yet":    {deployment(2, int64(1), 1, 1, 1, 1), Rollout{1, 1, 1, 1, false}, false},
		"an old pod":      {deployment(2, int64(1), 2, 2, 1, 1), Rollout{1, 2, 1, 1, true}, false},
		"too few new":     {deployment(2, int64(3), 2, 3, 2, 3), Rollout{3, 3, 2, 3, true}, false},
		"not available":   {deployment(2, int64(2), 2, 2, 2, 0), Rollout{2, 2, 2, 0, true}, true},
		"none are wanted": {deployment(1, int64(0), 1, 0, 0, 0), Rollout{0, 0, 0, 0, true}, true},
	} {
		got := RolloutOf(c.o)
		if got != c.want || got.Done() != c.done {
			t.Errorf("%s: got %+v, done %v", name, got, got.Done())
		}
	}
}

func TestDependsOn(t *testing.T) {
	o := parse(t, `{metadata: {namespace: flux-system}, spec: {dependsOn: [{name: a}, {name: b, namespace: other}]}}`)
	want := []types.NamespacedName{{Namespace: "flux-system", Name: "a"}, {Namespace: "other", Name: "b"}}
	if got := DependsOn(o); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := DependsOn(parse(t, `{}`)); got != nil {
		t.Errorf("what depends on nothing: %v", got)
	}
}
