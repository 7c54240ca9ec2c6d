// Package manifests holds what is applied to a cluster and renders it with
// kustomize: Flux with the demo's settings, the demo's services, and the
// first content of the demo's Git repository. It is the same for every kind
// of cluster.
package manifests

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest" // MapFS, the files of a map

	"github.com/fluxcd/pkg/ssa/utils"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

//go:embed flux services
var sources embed.FS

//go:embed all:fleet
var fleet embed.FS

// Source is the Git repository that Flux follows. The zero value is the demo's own.
type Source struct {
	URL    string // empty: the demo's Git host
	Secret string // with username and password, in Flux's namespace; empty: none is needed
	// ServiceAccount is whose rights Kustomizations apply with, in Flux's
	// namespace; empty: Flux's own. A Flux that is locked down
	// (--default-service-account) wants it named.
	ServiceAccount string
}

const (
	syncFile = "clusters/demo/flux-system/gotk-sync.yaml"
	ownURL   = "  url: http://git.fluxdemo.svc.cluster.local/fleet.git\n"
)

// Fleet returns the first content of the demo's Git repository, which has Flux follow the repository at source.
func Fleet(source Source) (fs.FS, error) {
	files := fstest.MapFS{}
	err := fs.WalkDir(fleet, "fleet", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(fleet, path)
		files[strings.TrimPrefix(path, "fleet/")] = &fstest.MapFile{Data: raw, Mode: 0o644}
		return err
	})
	if err != nil {
		return nil, err
	}
	if source.ServiceAccount != "" {
		if err := applyAs(files, source.ServiceAccount); err != nil {
			return nil, err
		}
	}
	if source.URL == "" {
		return files, nil
	}
	theirs := fmt.Sprintf("  url: %q\n", source.URL)
	if source.Secret != "" {
		theirs += "  secretRef:\n    name: " + source.Secret + "\n"
	}
	before := string(files[syncFile].Data)
	after := strings.Replace(before, ownURL, theirs, 1)
	if after == before {
		return nil, fmt.Errorf("manifests/fleet/%s does not have the line %q", syncFile, ownURL)
	}
	files[syncFile].Data = []byte(after)
	return files, nil
}

// applyAs names the service account in the Kustomizations of the fleet.
func applyAs(files fstest.MapFS, account string) error {
	const prune = "\n  prune: true\n"
	for _, name := range []string{syncFile, "clusters/demo/apps.yaml"} {
		before := string(files[name].Data)
		after := strings.Replace(before, prune, prune+"  serviceAccountName: "+account+"\n", 1)
		if after == before {
			return fmt.Errorf("manifests/fleet/%s has no Kustomization that prunes", name)
		}
		files[name].Data = []byte(after)
	}
	return nil
}

// Size is how many objects Flux is set up for.
type Size string

// Sizes.
const (
	ForDemo  Size = ""           // as few as on a slide
	ForScale Size = "flux/scale" // thousands; a kustomize component
)

// Flux renders Flux's install manifests with the demo's settings. install is
// what `flux install --export` prints; the bundle has it as flux.yaml.
func Flux(install []byte, size Size) ([]*unstructured.Unstructured, error) {
	return renderFlux(install, "flux", "", size)
}

// installFile is where the overlays look for Flux's install manifests.
const installFile = "flux/settings/flux.yaml"

// ShardLabel is on everything that a shard is made of; its value is the shard's name.
const ShardLabel = "fluxdemo.github.io/shard"

// Shard renders the controllers of a shard with a name that is good for a label; install is as for Flux.
func Shard(install []byte, name string, size Size) ([]*unstructured.Unstructured, error) {
	return renderFlux(install, "flux/shards", name, size)
}

// renderFlux renders the folder dir of manifests/flux, for a shard if it has a name, with the component of a size.
func renderFlux(install []byte, dir, shard string, size Size) ([]*unstructured.Unstructured, error) {
	disk := filesys.MakeFsInMemory()
	if err := disk.WriteFile(installFile, install); err != nil {
		return nil, err
	}
	if err := fill(disk, sources, "flux"); err != nil {
		return nil, err
	}
	if shard != "" {
		file := dir + "/kustomization.yaml"
		raw, err := disk.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading manifests/%s: %w", file, err)
		}
		if err := disk.WriteFile(file, bytes.ReplaceAll(raw, []byte("SHARD"), []byte(shard))); err != nil {
			return nil, err
		}
	}
	if size == ForDemo {
		return render(disk, dir)
	}
	const sized = "sized"
	root := fmt.Sprintf("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../%s]\ncomponents: [../%s]\n", dir, size)
	if err := disk.WriteFile(sized+"/kustomization.yaml", []byte(root)); err != nil {
		return nil, err
	}
	return render(disk, sized)
}

// Services renders the demo's services: the Git host and the inbox.
func Services() ([]*unstructured.Unstructured, error) {
	return build(sources, "services")
}

// Sync renders the objects that make Flux follow the demo's Git repository.
// They stand in that repository themselves, as `flux bootstrap` does it.
func Sync(source Source) ([]*unstructured.Unstructured, error) {
	files, err := Fleet(source)
	if err != nil {
		return nil, err
	}
	return build(files, "clusters/demo/flux-system")
}

// Kustomizations reads those that stand beside what makes Flux follow the
// repository: it applies them, and they apply the rest.
func Kustomizations(source Source) ([]*unstructured.Unstructured, error) {
	files, err := Fleet(source)
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "clusters/demo/*.yaml")
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, name := range names {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		objects, err := utils.ReadObjects(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("reading manifests/fleet/%s: %w", name, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// build renders the folder dir of source.
func build(source fs.FS, dir string) ([]*unstructured.Unstructured, error) {
	disk := filesys.MakeFsInMemory()
	if err := fill(disk, source, dir); err != nil {
		return nil, err
	}
	return render(disk, dir)
}

// fill copies the folder dir of source to disk.
func fill(disk filesys.FileSystem, source fs.FS, dir string) error {
	err := fs.WalkDir(source, dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(source, path)
		if err != nil {
			return err
		}
		return disk.WriteFile(path, raw)
	})
	if err != nil {
		return fmt.Errorf("reading manifests/%s: %w", dir, err)
	}
	return nil
}

// render runs kustomize on the folder dir of disk.
func render(disk filesys.FileSystem, dir string) ([]*unstructured.Unstructured, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, dir)
	if err != nil {
		return nil, fmt.Errorf("rendering manifests/%s: %w", dir, err)
	}
	raw, err := resources.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("rendering manifests/%s: %w", dir, err)
	}
	objects, err := utils.ReadObjects(strings.NewReader(string(raw)))
	if err != nil {
		return nil, fmt.Errorf("reading what manifests/%s renders to: %w", dir, err)
	}
	return objects, nil
}
