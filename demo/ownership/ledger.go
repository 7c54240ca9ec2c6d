package ownership

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// entry is what the ledger says of an object: before it is made, that it is
// intended, and afterwards its UID.
type entry struct {
	Object
	UID types.UID `json:"uid,omitempty"`
	// Intent is on every line before the object is made. A line with neither
	// is one of an earlier version, which recorded no UIDs.
	Intent bool `json:"intent,omitempty"`
}

// marks reports whether an object has the mark that an object with this entry
// must have. Without a UID, Flux's own mark is no proof, because another Flux
// sets it too. But earlier versions set no other mark on what Flux follows.
func (e entry) marks(o client.Object) bool {
	return marked(o) || !e.Intent && o.GetLabels()[fluxName] != ""
}

// ledger is the record of what the demo has made on a cluster of others. A
// change is on disk when its method returns.
type ledger struct {
	journal statefile.Journal
	damaged []int

	mu      sync.Mutex
	order   []Object
	entries map[string]entry // by the object's key
}

func openLedger(path string) (*ledger, error) {
	l := &ledger{journal: statefile.Journal{Path: path, Perm: 0o600}, entries: map[string]entry{}}
	var err error
	l.damaged, err = l.journal.Read(func(record json.RawMessage) error {
		var e entry
		if err := json.Unmarshal(record, &e); err != nil {
			return err
		}
		if e.Kind == "" || e.Name == "" {
			return errors.New("it names no object")
		}
		l.take(e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the record of the demo's objects: %w", err)
	}
	return l, nil
}

// take puts an entry into memory.
func (l *ledger) take(e entry) {
	if _, known := l.entries[e.Key()]; !known {
		l.order = append(l.order, e.Object)
	}
	l.entries[e.Key()] = e
}

func (l *ledger) record(entries ...entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := make([]any, len(entries))
	for i, e := range entries {
		lines[i] = e
	}
	if err := l.journal.Append(lines...); err != nil {
		return fmt.Errorf("recording the demo's objects: %w; free some space, then run the same command again", err)
	}
	for _, e := range entries {
		l.take(e)
	}
	return nil
}

// intend records that objects are about to be made.
func (l *ledger) intend(objects ...Object) error {
	entries := make([]entry, len(objects))
	for i, o := range objects {
		entries[i] = entry{Object: o, Intent: true}
	}
	return l.record(entries...)
}

// created records the UID of an object that was made.
func (l *ledger) created(o Object, uid types.UID) error {
	return l.record(entry{Object: o, UID: uid})
}

func (l *ledger) find(o Object) (entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[o.Key()]
	return e, ok
}

func (l *ledger) objects() []Object {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Object(nil), l.order...)
}

// hasUID reports whether an object with that UID is recorded.
func (l *ledger) hasUID(uid types.UID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if uid != "" && e.UID == uid {
			return true
		}
	}
	return false
}
