package main

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
)

// layer is a layer of an image: a tar file, not compressed, because unpacking
// would take longer than reading.
type layer struct {
	path   string
	size   int64 // bytes
	digest digest.Digest
}

// readLayer returns the layer that the tar file at path is.
func readLayer(path string) (layer, error) {
	file, err := os.Open(path)
	if err != nil {
		return layer{}, err
	}
	defer file.Close()
	sum := digest.Canonical.Digester()
	size, err := io.Copy(sum.Hash(), file)
	return layer{path: path, size: size, digest: sum.Digest()}, err
}

// writeLayer writes a tar file to path with what fill puts into it.
func writeLayer(path string, fill func(*layerWriter) error) (layer, error) {
	file, err := os.Create(path)
	if err != nil {
		return layer{}, err
	}
	defer file.Close()
	w := &layerWriter{tar: tar.NewWriter(file), dirs: map[string]bool{".": true}}
	if err := fill(w); err != nil {
		return layer{}, err
	}
	if err := w.tar.Close(); err != nil {
		return layer{}, err
	}
	if err := file.Close(); err != nil {
		return layer{}, err
	}
	return readLayer(path)
}

// layerWriter writes the files of a layer, all of them root's. Names are
// relative to the image's root and must not lead through a symbolic link of
// a layer below: usr/lib/x, not lib/x.
type layerWriter struct {
	tar  *tar.Writer
	dirs map[string]bool
}

// dir writes a folder, and those above it.
func (w *layerWriter) dir(name string, mode int64) error {
	if w.dirs[name] {
		return nil
	}
	if err := w.dir(path.Dir(name), 0o755); err != nil {
		return err
	}
	w.dirs[name] = true
	return w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, ModTime: epoch()})
}

// file writes a file with the content of a reader that holds size bytes.
func (w *layerWriter) file(name string, mode, size int64, content io.Reader) error {
	if err := w.dir(path.Dir(name), 0o755); err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: size, ModTime: epoch()}
	if err := w.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(w.tar, content)
	return err
}

// copy writes the file at source.
func (w *layerWriter) copy(name string, mode int64, source string) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return w.file(name, mode, info.Size(), file)
}

// link writes a symbolic link.
func (w *layerWriter) link(name, target string) error {
	if err := w.dir(path.Dir(name), 0o755); err != nil {
		return err
	}
	return w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777, ModTime: epoch()})
}

// epoch is when all files of a layer were made: the same files make the same
// layer at any time.
func epoch() time.Time { return time.Unix(0, 0) }

// tree writes the folder at source with everything in it.
func (w *layerWriter) tree(name, source string) error {
	return filepath.WalkDir(source, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(source, file)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		to := path.Join(name, filepath.ToSlash(rel))
		if entry.IsDir() {
			return w.dir(to, int64(info.Mode().Perm()))
		}
		return w.copy(to, int64(info.Mode().Perm()), file)
	})
}
