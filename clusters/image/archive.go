package image

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nameAnnotation is where containerd looks for an image's full name in an
// archive.
const nameAnnotation = "io.containerd.image.name"

// Write writes the image to w as an OCI image layout in a tar, which
// `ctr images import` and `docker load` read.
func (i Image) Write(w io.Writer) error {
	if err := i.write(tar.NewWriter(w)); err != nil {
		return fmt.Errorf("writing the image %s: %w", i.Name, err)
	}
	return nil
}

func (i Image) write(out *tar.Writer) error {
	manifest, err := i.RawManifest()
	if err != nil {
		return err
	}
	config, err := i.RawConfigFile()
	if err != nil {
		return err
	}
	index, err := i.index()
	if err != nil {
		return err
	}
	parsed, err := i.Manifest()
	if err != nil {
		return err
	}
	digest, err := i.Digest()
	if err != nil {
		return err
	}
	for _, part := range []struct {
		name    string
		content []byte
	}{
		{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{"index.json", index},
		{blob(digest), manifest},
		{blob(parsed.Config.Digest), config},
	} {
		if err := file(out, part.name, int64(len(part.content))); err != nil {
			return err
		}
		if _, err := out.Write(part.content); err != nil {
			return err
		}
	}
	layers, err := i.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		if err := writeLayer(out, layer); err != nil {
			return err
		}
	}
	return out.Close()
}

// index names the image's manifest and the image itself.
func (i Image) index() ([]byte, error) {
	digest, err := i.Digest()
	if err != nil {
		return nil, err
	}
	size, err := i.Size()
	if err != nil {
		return nil, err
	}
	kind, err := i.MediaType()
	if err != nil {
		return nil, err
	}
	return json.Marshal(v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Manifests: []v1.Descriptor{{
			MediaType: kind, Digest: digest, Size: size,
			Annotations: map[string]string{nameAnnotation: i.Name},
		}},
	})
}

func writeLayer(out *tar.Writer, layer v1.Layer) error {
	digest, err := layer.Digest()
	if err != nil {
		return err
	}
	size, err := layer.Size()
	if err != nil {
		return err
	}
	content, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer content.Close()
	if err := file(out, blob(digest), size); err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	return err
}

func blob(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

func file(out *tar.Writer, name string, size int64) error {
	return out.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o644, Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0)})
}
