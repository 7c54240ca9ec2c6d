package node

import (
	"slices"
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

func TestPodIPs(t *testing.T) {
	ips := newPodIPs()
	kept, err := ips.take("a", "10.244.0.3")
	if err != nil || kept != "10.244.0.3" {
		t.Fatalf("got %q, %v, want the address of before", kept, err)
	}
	seen := map[string]bool{kept: true}
	for i := range 600 {
		ip, err := ips.take("b", map[bool]string{true: "10.244.0.3", false: "127.0.0.1"}[i%2 == 0])
		if err != nil || seen[ip] {
			t.Fatalf("address %d: %q, %v", i, ip, err)
		}
		seen[ip] = true
	}
	ips.release("b", "10.244.0.3") // not its own
	if ip, _ := ips.take("c", "10.244.0.3"); ip == "10.244.0.3" {
		t.Error("an address was given twice")
	}
	ips.release("a", "10.244.0.3")
	if ip, _ := ips.take("c", "10.244.0.3"); ip != "10.244.0.3" {
		t.Errorf("a released address was not given again: %s", ip)
	}
}
