package forward

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestStateTorn cuts the state at every length while a process holds the
// lock: it runs, whatever can be read, and is not lost.
func TestStateTorn(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(folder(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	release, err := process(dir).Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{options: Options{Dir: dir}, state: State{PID: os.Getpid(), Ports: map[int32]int{30000: 40000}}}
	if err := f.saveLocked(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(stateFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	all := [][]byte{[]byte("garbage"), make([]byte, len(whole)), []byte("null"), []byte("{}")}
	for cut := range len(whole) {
		all = append(all, whole[:cut])
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel() // look once
	for _, damaged := range all {
		if err := os.WriteFile(stateFile(dir), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readState(dir); err == nil {
			t.Errorf("%q is taken for a state", damaged)
		}
		if _, running, err := Status(ended, dir); !running || err == nil {
			t.Errorf("%q: running %v, %v", damaged, running, err)
		}
	}
	// This process is no forwarder: it is not ended.
	if runtime.GOOS == "linux" {
		if err := Stop(t.Context(), dir); err == nil {
			t.Error("a process that is not certain was to end")
		}
	}
	if err := f.saveLocked(); err != nil {
		t.Fatal(err)
	}
	if s, running, err := Status(t.Context(), dir); err != nil || !running || s.Ports[30000] != 40000 {
		t.Errorf("written anew: %+v, %v, %v", s, running, err)
	}
	release()
	if _, running, err := Status(t.Context(), dir); running || err != nil {
		t.Errorf("ended: %v, %v", running, err)
	}
	if err := errors.Join(Stop(t.Context(), dir), Stop(t.Context(), filepath.Join(dir, "none"))); err != nil {
		t.Error(err)
	}
}
