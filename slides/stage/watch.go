package stage

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// watch returns a function that reads the deck again whenever something changes in its folder, until ctx ends. The
// folder is watched and not the file, since editors put a new file in the place of the old one.
func (s *Stage) watch(ctx context.Context) (func(), error) {
	w, err := fsnotify.NewWatcher()
	if err == nil {
		err = w.Add(filepath.Dir(s.o.Deck))
	}
	if err != nil {
		return nil, fmt.Errorf("watch the deck's folder for edits: %w", err)
	}
	return func() {
		defer w.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case _, more := <-w.Events:
				if !more {
					return
				}
				// A file that is half written cannot be read or has half the slides. What writes the other half is
				// another event.
				_ = s.Reload()
			case _, more := <-w.Errors:
				if !more {
					return
				}
				_ = s.Reload() // some events were lost
			}
		}
	}, nil
}
