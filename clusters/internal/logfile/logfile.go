// Package logfile prints a log file that another process writes, and follows
// it while it grows and is rotated.
package logfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// Follow writes the file at path to out. With follow it goes on as the
// file grows, and with the new file when it is rotated, until ctx ends.
func Follow(ctx context.Context, path string, follow bool, out io.Writer) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no log of %q; `fluxdemo status` lists the components", filepath.Base(path[:len(path)-len(".log")]))
	}
	if err != nil {
		return err
	}
	defer func() { file.Close() }()
	if !follow {
		_, err = io.Copy(out, file)
		return err
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching the log: %w", err)
	}
	defer watcher.Close()
	// The folder and not the file, to see the new file of a rotation.
	if err := watcher.Add(filepath.Dir(path)); err != nil {
		return fmt.Errorf("watching the log: %w", err)
	}
	for {
		if _, err := io.Copy(out, file); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			return fmt.Errorf("watching the log: %w", err)
		case event := <-watcher.Events:
			if event.Name != path || !event.Has(fsnotify.Create) {
				continue
			}
			if _, err := io.Copy(out, file); err != nil { // the end of the old one
				return err
			}
			next, err := os.Open(path)
			if err != nil {
				return err
			}
			file.Close()
			file = next
		}
	}
}
