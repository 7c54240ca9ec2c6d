package images

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
		got, err := image.Arguments(&test.container)
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
		if _, got := Find(images, reference); got != want {
			t.Errorf("Find(%q) = %v, want %v", reference, got, want)
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
		found, known := Find(images, reference)
		err := Missing(images, reference)
		if !known || (err == nil) != (want != "") || err == nil && found.Binary != want {
			t.Errorf("%s: got %q, %v, want %q", reference, found.Binary, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), ":v1.10.0, :v1.10.1, :v1.9.3") {
			t.Errorf("%s: the tags that there are do not stand in: %v", reference, err)
		}
	}
}

// TestRefuse asks images for more than they are for.
func TestRefuse(t *testing.T) {
	own := Image{Repository: "example.org/own", Only: []string{"serve"}, Never: []string{"HOME", "XDG_*"}}
	flux := Image{Repository: "example.org/flux", Never: []string{"--kubeconfig", "KUBECONFIG", "AWS_*"}}
	for name, test := range map[string]struct {
		image           Image
		args, variables []string
		refused         string
	}{
		"a server":              {own, []string{"serve", "git"}, []string{"GIT_USERNAME"}, ""},
		"a walk":                {own, []string{"walk", "/x/walk.md", "--auto"}, nil, "runs only as serve"},
		"nothing":               {own, nil, nil, "runs only as serve"},
		"a flag before":         {own, []string{"--name=x", "serve"}, nil, "runs only as serve"},
		"another home":          {own, []string{"serve"}, []string{"HOME"}, "the variable HOME"},
		"a folder of settings":  {own, []string{"serve"}, []string{"XDG_STATE_HOME"}, "the variable XDG_STATE_HOME"},
		"a controller":          {flux, []string{"--log-level=info", "--watch-label-selector=a in (--kubeconfig)"}, []string{"RUNTIME_NAMESPACE"}, ""},
		"a kubeconfig":          {flux, []string{"--kubeconfig=/config/x"}, nil, "with --kubeconfig"},
		"with one dash":         {flux, []string{"-kubeconfig", "/config/x"}, nil, "with --kubeconfig"},
		"a kubeconfig variable": {flux, nil, []string{"A", "KUBECONFIG"}, "the variable KUBECONFIG"},
		"a cloud's plugin":      {flux, nil, []string{"AWS_CONFIG_FILE"}, "the variable AWS_CONFIG_FILE"},
		"a longer flag":         {flux, []string{"--kubeconfigs=1"}, nil, ""},
		"a longer variable":     {flux, nil, []string{"KUBECONFIGS"}, ""},
	} {
		err := test.image.Refuse(test.args, test.variables)
		if (err != nil) != (test.refused != "") || err != nil && !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%s: got %v, want %q", name, err, test.refused)
		}
	}
}
