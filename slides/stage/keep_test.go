package stage

import (
	"errors"
	"sync"
	"testing"
)

// TestKeep changes the position from several goroutines: positions are saved one after another and in order, without
// the stage's lock, and one that could not be saved is not forgotten.
func TestKeep(t *testing.T) {
	var s *Stage
	var kept []Kept
	full := errors.New("the disk is full")
	s, err := New(Options{Deck: write(t, talkText), Keep: func(k Kept) error {
		s.Position() // waits for ever if the stage is locked
		kept = append(kept, k)
		if len(kept)%2 == 0 {
			return full
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 25 {
				if _, err := s.Next(); err != nil {
					t.Error(err)
				}
				s.ResetClock()
				if _, err := s.Back(); err != nil {
					t.Error(err)
				}
				if err := s.GoTo("two", -1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for s.keep() != nil { // what the last call may have left
	}
	for i := range kept[1:] {
		if kept[i+1].Started.Before(kept[i].Started) {
			t.Errorf("%d: saved the position of %s after that of %s", i, kept[i+1].Started, kept[i].Started)
		}
	}
	if last := kept[len(kept)-1]; last.Position != s.Position() {
		t.Errorf("saved %s last, and the talk is at %s", last.Position, s.Position())
	}
	saved := len(kept)
	if err := s.keep(); err != nil || len(kept) != saved {
		t.Errorf("the same position was saved again: %v", err)
	}
}
