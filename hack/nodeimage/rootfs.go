package main

import (
	"archive/tar"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// rootfs gives access to the files of a tar file that is a root file system.
type rootfs struct {
	tar   *os.File
	files map[string]rootFile // by their path without a / at its start
}

type rootFile struct {
	header *tar.Header
	offset int64 // of the content in the tar file
}

// openRootfs lists what is in the tar file at path.
func openRootfs(path string) (*rootfs, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &rootfs{tar: file, files: map[string]rootFile{}}
	for reader := tar.NewReader(file); ; {
		header, err := reader.Next()
		if err == io.EOF {
			return r, nil
		}
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		offset, err := file.Seek(0, io.SeekCurrent)
		if err != nil {
			file.Close()
			return nil, err
		}
		r.files[clean(header.Name)] = rootFile{header, offset}
	}
}

// Close closes the tar file.
func (r *rootfs) Close() error { return r.tar.Close() }

// clean returns name relative to the root.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// open returns the content of the file called name and its size. It follows
// symbolic links, also those to folders on the way.
func (r *rootfs) open(name string) (*io.SectionReader, error) {
	resolved := ""
	rest := strings.Split(clean(name), "/")
	for links := 0; len(rest) > 0; {
		next := path.Join(resolved, rest[0])
		file, ok := r.files[next]
		if !ok {
			return nil, fmt.Errorf("there is no /%s in the root file system", clean(name))
		}
		rest = rest[1:]
		switch file.header.Typeflag {
		case tar.TypeLink:
			next = clean(file.header.Linkname)
		case tar.TypeSymlink:
			if links++; links > 40 {
				return nil, fmt.Errorf("/%s in the root file system leads through too many links", clean(name))
			}
			target := file.header.Linkname
			if !path.IsAbs(target) {
				target = path.Join(resolved, target)
			}
			rest = append(strings.Split(clean(target), "/"), rest...)
			next = ""
		}
		resolved = next
	}
	file, ok := r.files[resolved]
	if !ok || file.header.Typeflag != tar.TypeReg {
		return nil, fmt.Errorf("/%s in the root file system is not a file", clean(name))
	}
	return io.NewSectionReader(r.tar, file.offset, file.header.Size), nil
}

// glob returns the names that match a pattern of path.Match, sorted.
func (r *rootfs) glob(pattern string) ([]string, error) {
	var names []string
	for name := range r.files {
		ok, err := path.Match(pattern, name)
		if err != nil {
			return nil, err
		}
		if ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// withLibraries returns the names of programs or libraries and of all that
// the dynamic linker loads for them, the linker included.
func (r *rootfs) withLibraries(names []string) ([]string, error) {
	seen := map[string]bool{}
	for todo := slices.Clone(names); len(todo) > 0; todo = todo[1:] {
		name := todo[0]
		if seen[name] {
			continue
		}
		seen[name] = true
		content, err := r.open(name)
		if err != nil {
			return nil, err
		}
		object, err := elf.NewFile(content)
		if err != nil {
			return nil, fmt.Errorf("reading /%s: %w", name, err)
		}
		if linker := object.Section(".interp"); linker != nil {
			raw, err := linker.Data()
			if err != nil {
				return nil, fmt.Errorf("reading /%s: %w", name, err)
			}
			todo = append(todo, clean(strings.TrimRight(string(raw), "\x00")))
		}
		libraries, err := object.ImportedLibraries()
		if err != nil {
			return nil, fmt.Errorf("reading /%s: %w", name, err)
		}
		for _, library := range libraries {
			found, err := r.glob("usr/lib/*-linux-gnu*/" + library)
			if err != nil {
				return nil, err
			}
			if len(found) == 0 {
				return nil, fmt.Errorf("/%s needs %s, which is not in the root file system", name, library)
			}
			todo = append(todo, found[0])
		}
	}
	all := make([]string, 0, len(seen))
	for name := range seen {
		all = append(all, name)
	}
	slices.Sort(all)
	return all, nil
}
