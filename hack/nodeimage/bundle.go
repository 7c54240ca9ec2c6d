package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// kubernetesVersion returns the version of Kubernetes in a bundle, from its
// list of contents, bundle.json.
func kubernetesVersion(contents string) (string, error) {
	raw, err := os.ReadFile(contents)
	if err != nil {
		return "", fmt.Errorf("reading the bundle: %w; build it with `make bundle`", err)
	}
	var list struct {
		Files []struct{ Modules map[string]string }
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return "", fmt.Errorf("reading %s: %w", contents, err)
	}
	for _, file := range list.Files {
		if version := file.Modules[kubernetes]; version != "" {
			return version, nil
		}
	}
	return "", fmt.Errorf("%s names no version of %s", contents, kubernetes)
}
