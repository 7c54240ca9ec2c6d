package clusters_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// provider is a provider that can run here or not, and has the clusters
// of these names.
func provider(name, because string, cannot error, has ...string) clusters.Provider {
	return clusters.Provider{
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

func TestProviders(t *testing.T) {
	cannot := errors.New("nothing to run it")
	all := clusters.Providers{
		provider("existing", "", nil, "talk"),
		provider("kind", "it is real", cannot),
		provider("embedded", "it needs nothing", nil, "demo"),
	}
	chosen, why, err := all.Choose(t.Context())
	if err != nil || chosen.Name != "embedded" || why != "not kind: nothing to run it; it needs nothing" {
		t.Errorf("chosen: %s, %q, %v", chosen.Name, why, err)
	}
	all[1] = provider("kind", "it is real", nil)
	if chosen, why, err := all.Choose(t.Context()); err != nil || chosen.Name != "kind" || why != "it is real" {
		t.Errorf("chosen: %s, %q, %v", chosen.Name, why, err)
	}
	if chosen, _, err := (clusters.Providers{all[0], provider("kind", "it is real", cannot)}).Choose(t.Context()); err == nil || err.Error() != "this machine cannot run clusters: not kind: nothing to run it" {
		t.Errorf("chosen: %s, %v", chosen.Name, err)
	}
	for name, want := range map[string]string{"talk": "existing", "demo": "embedded", "new": ""} {
		if got, ok := all.Of(name); got.Name != want || ok != (want != "") {
			t.Errorf("%s is of provider %q, %v; want %q", name, got.Name, ok, want)
		}
	}
	if _, err := all.Get("nope"); err == nil || err.Error() != `unknown provider "nope"; valid values: existing, kind, embedded` {
		t.Error(err)
	}
}
