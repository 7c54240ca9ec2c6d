package stage

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/fluxdemo/fluxdemo/slides/edits"
)

// watch returns a function that reads the deck again whenever something changes in its folder, until ctx ends.
func (s *Stage) watch(ctx context.Context) (func(), error) {
	run, err := edits.Watch(ctx, filepath.Dir(s.o.Deck), func(string) {
		// A half-written file cannot be read, or has half of the slides. The rest causes another event.
		_ = s.Reload()
	})
	if err != nil {
		return nil, fmt.Errorf("watching the deck's folder for edits: %w", err)
	}
	return run, nil
}
