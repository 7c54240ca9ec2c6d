package fleet

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/ssa/utils"
	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/object"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Kustomizations returns the names of the Kustomizations of Flux that the beginning has in namespace, sorted.
func (b *Beginning) Kustomizations(namespace string) ([]string, error) {
	var names []string
	err := b.manifests(func(text string) error {
		there, err := kustomizationsIn([]byte(text))
		for _, o := range there {
			if o.Namespace == namespace && !slices.Contains(names, o.Name) {
				names = append(names, o.Name)
			}
		}
		return err
	})
	slices.Sort(names)
	return names, err
}

// Signs reports whether Flux signs what it sends to the inbox. The beginnings that earlier versions have made have a
// Provider that does not.
func (b *Beginning) Signs() (bool, error) {
	signs := true
	err := b.manifests(func(text string) error {
		if !strings.Contains(text, "Provider") {
			return nil
		}
		objects, err := utils.ReadObjects(strings.NewReader(text))
		for _, o := range objects {
			kind, _, _ := unstructured.NestedString(o.Object, "spec", "type")
			if o.GetKind() == "Provider" && o.GetName() == "inbox" && kind == "generic" {
				signs = false
			}
		}
		return err
	})
	return signs, err
}

// manifests calls read with each manifest in the folder that Flux applies first.
func (b *Beginning) manifests(read func(text string) error) error {
	commit, err := object.GetCommit(b.store, plumbing.NewHash(b.Commit))
	if err != nil {
		return fmt.Errorf("reading the beginning of the fleet: %w", err)
	}
	files, err := commit.Files()
	if err != nil {
		return fmt.Errorf("reading the beginning of the fleet: %w", err)
	}
	err = files.ForEach(func(f *object.File) error {
		if !strings.HasPrefix(f.Name, ClusterDir+"/") || path.Ext(f.Name) != ".yaml" {
			return nil
		}
		text, err := f.Contents()
		if err == nil {
			err = read(text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the beginning of the fleet: %w", err)
	}
	return nil
}
