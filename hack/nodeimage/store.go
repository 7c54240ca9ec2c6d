package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/metadata"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.etcd.io/bbolt"
)

// Where containerd keeps what it was given, below /var/lib/containerd.
const (
	contentDir = "io.containerd.content.v1.content"
	metadataDB = "io.containerd.metadata.v1.bolt/meta.db"
)

// store is the folder of a containerd that does not run: what is put there
// it finds when it starts. So a node has its images from the beginning, and
// a build does not need to run containerd.
type store struct {
	bolt *bbolt.DB
	db   *metadata.DB
}

// newStore makes a store in the folder dir.
func newStore(ctx context.Context, dir string) (*store, error) {
	blobs, err := local.NewStore(filepath.Join(dir, contentDir))
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, metadataDB)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(file, 0o644, nil)
	if err != nil {
		return nil, err
	}
	s := &store{bolt: db, db: metadata.NewDB(db, blobs, nil)}
	if err := s.db.Init(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// Close writes everything to disk.
func (s *store) Close() error { return s.bolt.Close() }

// add puts an image into the store, under a name and where Kubernetes looks,
// and keeps it from garbage collection.
func (s *store) add(ctx context.Context, i image, name string) error {
	ctx = namespaces.WithNamespace(ctx, "k8s.io")
	config, err := i.configJSON()
	if err != nil {
		return err
	}
	m := i.manifest(config)
	for _, l := range i.layers {
		file, err := os.Open(l.path)
		if err != nil {
			return err
		}
		err = s.write(ctx, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: l.digest, Size: l.size}, file)
		file.Close()
		if err != nil {
			return err
		}
	}
	if err := s.write(ctx, m.Config, bytes.NewReader(config)); err != nil {
		return err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	target := ocispec.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	if err := s.write(ctx, target, bytes.NewReader(raw)); err != nil {
		return err
	}
	// The labels by which containerd knows that the image needs its layers.
	blobs := s.db.ContentStore()
	if err := images.Dispatch(ctx, images.SetChildrenLabels(blobs, images.ChildrenHandler(blobs)), nil, target); err != nil {
		return fmt.Errorf("labelling the layers of %s: %w", name, err)
	}
	_, err = metadata.NewImageStore(s.db).Create(ctx, images.Image{
		Name: name, Target: target,
		Labels: map[string]string{"io.cri-containerd.image": "managed", "io.cri-containerd.pinned": "pinned"},
	})
	if err != nil {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	return nil
}

// write stores a blob, unless an image before had the same.
func (s *store) write(ctx context.Context, blob ocispec.Descriptor, from io.Reader) error {
	err := content.WriteBlob(ctx, s.db.ContentStore(), blob.Digest.String(), from, blob)
	if err != nil && !errdefs.IsAlreadyExists(err) {
		return fmt.Errorf("storing %s: %w", blob.Digest, err)
	}
	return nil
}
