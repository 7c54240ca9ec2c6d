package git

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v6/plumbing"
)

// journalName is the file in a repository's folder that has, for each reference, the last commit that was delivered to
// the webhook. Git ignores it. The reference is written before the webhook is sent, and the journal after it has
// arrived. So the next start after a crash sees the difference and delivers again.
const journalName = "fluxdemo-delivered.json"

// delivered reads the journal. A journal that cannot be read counts as empty, because a second delivery does no harm.
func (r *repo) delivered() map[string]string {
	r.journal.Lock()
	defer r.journal.Unlock()
	return r.readJournal()
}

// setDelivered notes that the webhook knows ref at h (zero: that it is deleted).
func (r *repo) setDelivered(ref plumbing.ReferenceName, h plumbing.Hash) error {
	r.journal.Lock()
	defer r.journal.Unlock()
	done := r.readJournal()
	if h.IsZero() {
		delete(done, ref.String())
	} else {
		done[ref.String()] = h.String()
	}
	b, err := json.Marshal(done)
	if err != nil {
		return fmt.Errorf("encoding the journal of webhooks: %w", err)
	}
	return writeFile(r.dir, filepath.Join(r.dir, journalName), b)
}

func (r *repo) readJournal() map[string]string {
	done := map[string]string{}
	b, err := os.ReadFile(filepath.Join(r.dir, journalName))
	if err != nil || json.Unmarshal(b, &done) != nil {
		return map[string]string{}
	}
	return done
}
