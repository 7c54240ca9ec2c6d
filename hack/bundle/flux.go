package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// controllers are the components whose manifests the flux CLI embeds and the
// bundle runs.
func controllers() []string {
	return []string{"source-controller", "kustomize-controller", "notification-controller", "helm-controller"}
}

// writeFlux writes a copy of the flux CLI's module to dir, with the manifests
// that cmd/flux embeds and its module does not carry, and returns the path of
// a go.mod that builds it from there. Flux's own script downloads each
// controller's CRDs and Deployment from its release; here they come from the
// controllers' modules.
func writeFlux(modules map[string]module, dir string) (modfile string, err error) {
	source := filepath.Join(dir, "flux2")
	if err := copyTree(source, modules[fluxModule].Dir); err != nil {
		return "", err
	}
	target := filepath.Join(source, "cmd", "flux", "manifests")
	if err := os.MkdirAll(target, 0o755); err != nil {
		return "", err
	}
	for _, name := range controllers() {
		base := filepath.Join(source, "manifests", "bases", name)
		config := filepath.Join(modules["github.com/fluxcd/"+name].Dir, "config")
		if err := completeBase(base, config); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		if err := kustomize(base, filepath.Join(target, name+".yaml")); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range []string{"rbac", "policies"} {
		if err := kustomize(filepath.Join(source, "manifests", name), filepath.Join(target, name+".yaml")); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	return writeModfile(dir, source)
}

// writeModfile copies this module's go.mod and go.sum to dir and makes them
// take the flux CLI from source. The go command does not let an -overlay
// touch the module cache, so a copy and a replace line it is.
func writeModfile(dir, source string) (string, error) {
	for _, name := range []string{"go.mod", "go.sum"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		if name == "go.mod" {
			raw = fmt.Appendf(raw, "\nreplace %s => %s\n", fluxModule, source)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "go.mod"), nil
}

// copyTree copies the folder source to target. What stands in the module
// cache is read-only; the copy is not.
func copyTree(target, source string) error {
	return filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		to := filepath.Join(target, rel)
		if entry.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, raw, 0o644)
	})
}

// completeBase puts a controller's own config folder in the place of the
// release downloads that one of Flux's kustomize bases names.
func completeBase(base, config string) error {
	for _, part := range []string{"crd", "manager"} {
		if err := copyTree(filepath.Join(base, part), filepath.Join(config, part)); err != nil {
			return err
		}
	}
	file := filepath.Join(base, "kustomization.yaml")
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := strings.Split(string(raw), "\n")
	for i, line := range lines {
		switch {
		case !strings.HasPrefix(line, "- https://"):
		case strings.HasSuffix(line, ".crds.yaml"):
			lines[i] = "- crd"
		case strings.HasSuffix(line, ".deployment.yaml"):
			lines[i] = "- manager"
		}
	}
	return os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644)
}

// kustomize builds the kustomization in dir into target.
func kustomize(dir, target string) error {
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return err
	}
	raw, err := resources.AsYaml()
	if err != nil {
		return err
	}
	return os.WriteFile(target, raw, 0o644)
}

// exportInstall writes what `flux install` would apply to flux.yaml, by
// asking the flux CLI that was just built.
func exportInstall(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "flux"), "install", "--export",
		"--components="+strings.Join(controllers(), ","))
	raw, err := cmd.Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			return fmt.Errorf("flux install --export: %w\n%s", err, exit.Stderr)
		}
		return fmt.Errorf("flux install --export: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "flux.yaml"), raw, 0o644)
}
