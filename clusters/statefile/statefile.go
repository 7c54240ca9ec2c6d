// Package statefile writes files that survive a crash. It replaces a file in
// one synced step, and reads a journal without the incomplete last record
// that a crash leaves.
package statefile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// temporaryMark stands in the name of a file that is being written. A crash
// leaves such a file behind; IsTemporary recognises it.
const temporaryMark = ".writing-"

// Write replaces the file at path with content in one step: a reader finds
// either the old or the new content, even after a crash or a power cut. The
// folder must exist. perm is the file's new mode before the umask; the mode of
// the old file does not matter.
func Write(path string, content []byte, perm os.FileMode) (err error) {
	dir := filepath.Dir(path)
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	file, err := create(dir, filepath.Base(path), perm)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // the error says enough
		}
	}()
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), path); err != nil {
		return err
	}
	return SyncFolder(dir)
}

// create makes a new file in dir for what is to be called name.
func create(dir, name string, perm os.FileMode) (*os.File, error) {
	for {
		path := filepath.Join(dir, "."+name+temporaryMark+rand.Text())
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
		if !errors.Is(err, fs.ErrExist) {
			return file, err
		}
	}
}

// IsTemporary reports whether name, without its folder, is that of a file that
// Write left behind when it was interrupted, and of which file.
func IsTemporary(name string) (of string, is bool) {
	before, _, found := strings.Cut(name, temporaryMark)
	of, dotted := strings.CutPrefix(before, ".")
	return of, found && dotted && of != ""
}

// SyncFolder makes the names in dir durable: after a power cut a file that
// was made there, or renamed, is still there. File systems that cannot do
// that are let be.
func SyncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	err = folder.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
