// Package statefile keeps on disk what has to survive a crash. A file is
// replaced in one synced step, and a journal drops the record that a crash
// has torn.
package statefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// temporaryMark stands in the name of a file that is being written. A crash
// leaves such a file behind; IsTemporary recognises it.
const temporaryMark = ".writing-"

// Write replaces the file at path with content, in one step: whoever reads
// it, also after a crash or a power cut, finds the old content or the new
// one. The folder has to be there. perm is the file's mode, whatever the
// umask is.
func Write(path string, content []byte, perm os.FileMode) (err error) {
	dir, name := filepath.Split(path)
	dir = filepath.Clean(dir) // "" becomes "."
	file, err := os.CreateTemp(dir, "."+name+temporaryMark+"*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // the error says enough
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	_, err = file.Write(content)
	if err == nil {
		err = file.Chmod(perm)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(dir)
}

// IsTemporary tells whether name, without its folder, is that of a file that
// Write left behind when it was interrupted, and of which file.
func IsTemporary(name string) (of string, is bool) {
	before, _, found := strings.Cut(name, temporaryMark)
	of, dotted := strings.CutPrefix(before, ".")
	return of, found && dotted && of != ""
}

// syncFolder makes a renamed or new name in dir durable.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
