package gitstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/go-git/go-billy/v6"
)

// folder is a folder of the disk in which a created file appears when it is closed. go-git creates indexes of packs
// under their final names, and never writes one again that is there.
type folder struct{ billy.Filesystem }

// Create replaces the file called name when the returned file is closed. If a write has failed, name stays as it was.
func (f folder) Create(name string) (billy.File, error) {
	for {
		draft := name + ".tmp-" + rand.Text()
		file, err := f.OpenFile(draft, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("creating %s: %w", name, err)
		}
		return &pending{File: file, in: f, draft: draft, name: name}, nil
	}
}

// Chmod changes the mode of a file, where the disk can do that.
func (f folder) Chmod(name string, mode fs.FileMode) error {
	if disk, ok := f.Filesystem.(billy.Chmod); ok {
		return disk.Chmod(name, mode)
	}
	return nil
}

// Capabilities returns what the disk can do.
func (f folder) Capabilities() billy.Capability { return billy.Capabilities(f.Filesystem) }

// pending is a file that does not have its name yet.
type pending struct {
	billy.File
	in          folder
	draft, name string // until it is closed, and then
	failed      error
}

// Name returns the name that the file will have.
func (p *pending) Name() string { return p.name }

func (p *pending) Write(b []byte) (int, error) {
	n, err := p.File.Write(b)
	p.failed = errors.Join(p.failed, err)
	return n, err
}

func (p *pending) WriteAt(b []byte, offset int64) (int, error) {
	n, err := p.File.WriteAt(b, offset)
	p.failed = errors.Join(p.failed, err)
	return n, err
}

// Close gives the file its name, or removes it if not all of it was written.
func (p *pending) Close() error {
	err := errors.Join(p.failed, p.File.Close())
	if err == nil {
		err = p.in.Rename(p.draft, p.name)
	}
	if err != nil {
		_ = p.in.Remove(p.draft)
		return fmt.Errorf("writing %s: %w", p.name, err)
	}
	return nil
}
