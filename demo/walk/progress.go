package walk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// lockEvery is how often a lock that another process holds is tried again. A lock cannot be watched.
const lockEvery = 50 * time.Millisecond

// progress is the position of a walk, as saved on disk.
type progress struct {
	Walk  string   `json:"walk"`            // the hash of its text
	Set   bool     `json:"set"`             // the setup is done
	Done  []before `json:"done"`            // the steps that are done, in order
	Begun *before  `json:"begun,omitempty"` // the step after them, when it was begun and is not done
	Shell snapshot `json:"shell"`           // the shell as it is now
	Hints int      `json:"hints,omitempty"` // how many hints of the step after them a learner has seen
	// Commit is the head of the fleet's branch as the last of Done, or the last step back, has left it; "" when that is
	// not known.
	Commit string `json:"commit,omitempty"`
}

// before is the state that undoing a step restores.
type before struct {
	Step   string   `json:"step"`             // the step's ID
	Commit string   `json:"commit,omitempty"` // the head of the fleet's branch
	Shell  snapshot `json:"shell"`
	// States are those of what follows the branch (see Git); nil when they are not known.
	States map[string]string `json:"states"`
}

// fits reports whether the progress is one of w.
func (p *progress) fits(w *Walk) bool {
	if p.Walk != w.Hash || len(p.Done) > len(w.Steps) {
		return false
	}
	for i, b := range p.Done {
		if b.Step != w.Steps[i].ID {
			return false
		}
	}
	return true
}

// store keeps a progress in a file that is always whole: it is replaced at once, so that a process that is killed
// leaves the old or the new one. Without a file it keeps nothing.
type store struct {
	file string
	last []byte // what was read or written last
}

// load returns nil when there is no file, or when it did not change since the last load or save.
func (s *store) load() (*progress, error) {
	if s.file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && s.last != nil && string(data) == string(s.last) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the walk's progress: %w", err)
	}
	p := &progress{}
	// What was done of the walk stands nowhere else, so it is the user who gives it up.
	err = json.Unmarshal(data, p)
	if err == nil && p.Walk == "" {
		err = errors.New("it is incomplete")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the walk's progress: %w; remove %s to start again", err, s.file)
	}
	s.last = data
	return p, nil
}

func (s *store) save(p *progress) error {
	if s.file == "" {
		return nil
	}
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("saving the walk's progress: %w", err)
	}
	if string(data) == string(s.last) {
		return nil
	}
	if err := statefile.Write(s.file, data, 0o600); err != nil {
		return fmt.Errorf("saving the walk's progress: %w", err)
	}
	s.last = data
	return nil
}

func (s *store) remove() error {
	if s.file == "" {
		return nil
	}
	s.last = nil
	if err := os.Remove(s.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the walk's progress: %w", err)
	}
	return nil
}

// lock makes sure that one process at a time changes the walk's state. It waits until ctx ends.
func (s *store) lock(ctx context.Context) (unlock func(), err error) {
	if s.file == "" {
		return func() {}, nil
	}
	l := flock.New(filepath.Join(filepath.Dir(s.file), "."+filepath.Base(s.file)+".lock"))
	if _, err := l.TryLockContext(ctx, lockEvery); err != nil {
		return nil, fmt.Errorf("waiting for another fluxdemo that runs this walk: %w", err)
	}
	return func() { _ = l.Unlock() }, nil
}
