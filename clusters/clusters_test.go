package clusters_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// kindOf is a kind of cluster that can run here or not, and has the clusters
// of these names.
func kindOf(name, because string, cannot error, has ...string) clusters.Kind {
	return clusters.Kind{
		Name: name, Because: because,
		Available: func(context.Context) error { return cannot },
		Has: func(name string) bool {
			for _, each := range has {
				if each == name {
					return true
				}
			}
			return false
		},
	}
}

func TestRegistry(t *testing.T) {
	cannot := errors.New("nothing to run it")
	all := clusters.Registry{
		kindOf("existing", "", nil, "talk"),
		kindOf("kind", "it is real", cannot),
		kindOf("embedded", "it needs nothing", nil, "demo"),
	}
	chosen, why, err := all.Choose(t.Context())
	if err != nil || chosen.Name != "embedded" || why != "not kind: nothing to run it; it needs nothing" {
		t.Errorf("chosen: %s, %q, %v", chosen.Name, why, err)
	}
	all[1] = kindOf("kind", "it is real", nil)
	if chosen, why, err := all.Choose(t.Context()); err != nil || chosen.Name != "kind" || why != "it is real" {
		t.Errorf("chosen: %s, %q, %v", chosen.Name, why, err)
	}
	if chosen, _, err := (clusters.Registry{all[0], kindOf("kind", "it is real", cannot)}).Choose(t.Context()); err == nil || err.Error() != "this machine cannot run clusters: not kind: nothing to run it" {
		t.Errorf("chosen: %s, %v", chosen.Name, err)
	}
	for name, want := range map[string]string{"talk": "existing", "demo": "embedded", "new": ""} {
		if got, ok := all.Of(name); got.Name != want || ok != (want != "") {
			t.Errorf("%s is of kind %q, %v; want %q", name, got.Name, ok, want)
		}
	}
	if _, err := all.Get("nope"); err == nil || err.Error() != `unknown kind of cluster "nope"; there is: existing, kind, embedded` {
		t.Error(err)
	}
}
