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
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"
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

// The files of the fleet with what makes Flux follow the repository.
const (
	syncFile = "clusters/demo/flux-system/gotk-sync.yaml"
	appsFile = "clusters/demo/apps.yaml"
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
	return files, source.put(files)
}

// put has the files of the fleet follow the repository at source. The rest of them stays, comments too.
func (source Source) put(files fstest.MapFS) error {
	if source.ServiceAccount != "" {
		for _, name := range []string{syncFile, appsFile} {
			err := edit(files, name, "Kustomization", func(spec *yaml.RNode) error {
				return spec.PipeE(yaml.SetField("serviceAccountName", yaml.NewStringRNode(source.ServiceAccount)))
			})
			if err != nil {
				return err
			}
		}
	}
	if source.URL == "" {
		return nil
	}
	return edit(files, syncFile, "GitRepository", func(spec *yaml.RNode) error {
		if err := spec.PipeE(yaml.SetField("url", yaml.NewStringRNode(source.URL))); err != nil || source.Secret == "" {
			return err
		}
		return spec.PipeE(yaml.LookupCreate(yaml.MappingNode, "secretRef"), yaml.SetField("name", yaml.NewStringRNode(source.Secret)))
	})
}

// edit changes the spec of each object of a kind in a file of the fleet, of which there has to be one.
func edit(files fstest.MapFS, name, kind string, change func(spec *yaml.RNode) error) error {
	var out bytes.Buffer
	found := false
	text := &kio.ByteReadWriter{Reader: bytes.NewReader(files[name].Data), Writer: &out, PreserveSeqIndent: true}
	err := kio.Pipeline{
		Inputs: []kio.Reader{text},
		Filters: []kio.Filter{kio.FilterAll(yaml.FilterFunc(func(o *yaml.RNode) (*yaml.RNode, error) {
			if o.GetKind() != kind {
				return o, nil
			}
			found = true
			spec, err := o.Pipe(yaml.LookupCreate(yaml.MappingNode, "spec"))
			if err != nil {
				return nil, err
			}
			return o, change(spec)
		}))},
		Outputs: []kio.Writer{text},
	}.Execute()
	switch {
	case err != nil:
		return fmt.Errorf("editing manifests/fleet/%s: %w", name, err)
	case !found:
		return fmt.Errorf("manifests/fleet/%s has no %s", name, kind)
	}
	files[name].Data = out.Bytes()
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
