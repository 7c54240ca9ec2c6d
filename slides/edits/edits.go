// Package edits notices what other programs change in a folder, while a page shows what is in it. It watches the folder
// and not a file, because editors replace the file.
package edits

import (
	"context"

	"github.com/fsnotify/fsnotify"
)

// Watch watches a folder. The function that it returns calls changed with the path of each file that is made, changed,
// or removed, and with "" when some of that may have been missed. It returns when ctx ends.
func Watch(ctx context.Context, folder string, changed func(file string)) (run func(), err error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	if err := w.Add(folder); err != nil {
		w.Close()
		return nil, err
	}
	return func() {
		defer w.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case ev, more := <-w.Events:
				if !more {
					return
				}
				changed(ev.Name)
			case _, more := <-w.Errors:
				if !more {
					return
				}
				changed("")
			}
		}
	}, nil
}
