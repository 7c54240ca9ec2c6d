package node

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestArguments(t *testing.T) {
	image := Image{Repository: "example.org/tool", Binary: "/opt/tool", Args: []string{"serve"}}
	for name, test := range map[string]struct {
		container corev1.Container
		want      []string
		fails     bool
	}{
		"entry point":         {corev1.Container{Args: []string{"git"}}, []string{"serve", "git"}, false},
		"command replaces it": {corev1.Container{Command: []string{"tool", "run"}, Args: []string{"git"}}, []string{"run", "git"}, false},
		"command by its path": {corev1.Container{Command: []string{"/usr/bin/tool"}}, []string{}, false},
		"command of its own":  {corev1.Container{Command: []string{"sh", "-c", "true"}}, nil, true},
	} {
		got, err := arguments(&test.container, image)
		if (err != nil) != test.fails || !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestFindImage(t *testing.T) {
	images := []Image{{Repository: "ghcr.io/fluxcd/source-controller"}, {Repository: "localhost:5000/app"}}
	for reference, want := range map[string]bool{
		"ghcr.io/fluxcd/source-controller":               true,
		"ghcr.io/fluxcd/source-controller:v1.9.3":        true,
		"ghcr.io/fluxcd/source-controller@sha256:abc":    true,
		"ghcr.io/fluxcd/source-controller:v1@sha256:abc": true,
		"ghcr.io/fluxcd/source-controller-extra:v1":      false,
		"docker.io/fluxcd/source-controller:v1":          false,
		"localhost:5000/app":                             true,
		"localhost:5000/app:1":                           true,
		"localhost":                                      false,
	} {
		if _, got := findImage(images, reference); got != want {
			t.Errorf("findImage(%q) = %v, want %v", reference, got, want)
		}
	}
}

// TestMissing chooses among several images of one repository, as there are
// when Flux is upgraded.
func TestMissing(t *testing.T) {
	const repository = "ghcr.io/fluxcd/source-controller"
	images := []Image{
		{Repository: repository, Tags: []string{"v1.9.3"}, Binary: "/old"},
		{Repository: repository, Tags: []string{"v1.10.0", "v1.10.1"}, Binary: "/new"},
		{Repository: "example.org/any", Binary: "/any"},
	}
	for reference, want := range map[string]string{
		repository + ":v1.9.3":        "/old",
		repository + ":v1.10.1":       "/new",
		repository + ":v1.10":         "",
		repository:                    "",
		repository + "@sha256:1":      "",
		"example.org/any:7":           "/any",
		"example.org/any":             "/any",
		"example.org/any:7@sha256:22": "/any",
	} {
		found, known := findImage(images, reference)
		err := missing(images, reference)
		if !known || (err == nil) != (want != "") || err == nil && found.Binary != want {
			t.Errorf("%s: got %q, %v, want %q", reference, found.Binary, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), ":v1.10.0, :v1.10.1, :v1.9.3") {
			t.Errorf("%s: the tags that there are do not stand in: %v", reference, err)
		}
	}
}
