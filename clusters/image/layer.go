package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// layer is a file system that is assembled whenever it is read. It is not
// compressed: it stays on this machine, and compression would take longer than
// the copy. The same files give the same digest.
type layer struct {
	entries []entry
	digest  v1.Hash
	size    int64
}

var _ v1.Layer = (*layer)(nil)

// entry is a file or a folder in a layer.
type entry struct {
	header  tar.Header
	content []byte
	file    string // path of a file on this machine that has the content
}

func programEntry(name, file string) entry {
	return entry{header: tar.Header{Name: name, Mode: 0o755, Typeflag: tar.TypeReg}, file: file}
}

func fileEntry(name string, content []byte) entry {
	return entry{header: tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg}, content: content}
}

func folderEntry(name string, mode int64) entry {
	return entry{header: tar.Header{Name: name + "/", Mode: mode, Typeflag: tar.TypeDir}}
}

// baseLayer is what a static program needs of a system: a folder for
// temporary files, certificate authorities, and a name for its user.
func baseLayer(certificates []byte) (v1.Layer, error) {
	return newLayer(
		folderEntry("tmp", 0o1777),
		fileEntry("etc/passwd", []byte("root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/tmp:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n")),
		fileEntry("etc/group", []byte("root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n")),
		fileEntry("etc/ssl/certs/ca-certificates.crt", certificates),
	)
}

func newLayer(entries ...entry) (*layer, error) {
	l := &layer{entries: entries}
	sum := sha256.New()
	size, err := l.writeTo(sum)
	if err != nil {
		return nil, err
	}
	l.size = size
	l.digest = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}
	return l, nil
}

// writeTo writes the layer as a tar and returns its size.
func (l *layer) writeTo(w io.Writer) (int64, error) {
	counter := &countingWriter{w: w}
	out := tar.NewWriter(counter)
	for _, e := range l.entries {
		if err := e.writeTo(out); err != nil {
			return counter.n, fmt.Errorf("packing %s: %w", e.header.Name, err)
		}
	}
	err := out.Close()
	return counter.n, err
}

func (e entry) writeTo(out *tar.Writer) error {
	header := e.header
	header.ModTime = time.Unix(0, 0)
	header.Size = int64(len(e.content))
	if e.file == "" {
		if err := out.WriteHeader(&header); err != nil {
			return err
		}
		_, err := out.Write(e.content)
		return err
	}
	file, err := os.Open(e.file)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header.Size = info.Size()
	if err := out.WriteHeader(&header); err != nil {
		return err
	}
	_, err = io.Copy(out, file)
	return err
}

// Digest implements v1.Layer.
func (l *layer) Digest() (v1.Hash, error) { return l.digest, nil }

// DiffID implements v1.Layer.
func (l *layer) DiffID() (v1.Hash, error) { return l.digest, nil }

// Size implements v1.Layer.
func (l *layer) Size() (int64, error) { return l.size, nil }

// MediaType implements v1.Layer.
func (l *layer) MediaType() (types.MediaType, error) { return types.OCIUncompressedLayer, nil }

// Compressed implements v1.Layer.
func (l *layer) Compressed() (io.ReadCloser, error) { return l.Uncompressed() }

// Uncompressed implements v1.Layer.
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	read, write := io.Pipe()
	go func() {
		_, err := l.writeTo(write)
		write.CloseWithError(err)
	}()
	return read, nil
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
