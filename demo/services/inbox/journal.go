package inbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/demo/services/event"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

// journal keeps the notifications in a file, a JSON object a line, so that the inbox has them after a crash.
type journal struct {
	mu    sync.Mutex
	path  string
	file  *os.File
	lines int
	torn  bool // the last line may be cut off
	feed  *serve.Feed[event.Flux]
}

// openJournal puts what the file at path holds into feed, and opens it for more. Without a path it returns nil.
func openJournal(path string, feed *serve.Feed[event.Flux]) (*journal, error) {
	if path == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var items []serve.Item[event.Flux]
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		var n event.Notification
		// A crash in the middle of a write leaves half a line, which is lost.
		if json.Unmarshal(lines.Bytes(), &n) == nil {
			items = append(items, serve.Item[event.Flux]{ID: n.ID, Time: n.Received, Value: n.Flux})
		}
	}
	feed.Restore(items)
	j := &journal{path: path, feed: feed}
	return j, j.rewrite()
}

// add appends one notification. Once there are many old ones the file is written anew, with those that count.
func (j *journal) add(n event.Notification) error {
	if j == nil {
		return nil
	}
	raw, err := json.Marshal(n)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.torn || j.lines >= 5*remembered {
		return j.rewrite() // it is in the feed
	}
	j.lines++
	_, err = j.file.Write(append(raw, '\n'))
	j.torn = err != nil
	return err
}

// rewrite replaces the file by one with what the feed holds, in one step.
func (j *journal) rewrite() error {
	var out bytes.Buffer
	items, _, _ := j.feed.Since(0)
	for _, it := range items {
		raw, err := json.Marshal(number(it))
		if err != nil {
			return err
		}
		out.Write(append(raw, '\n'))
	}
	if err := statefile.Write(j.path, out.Bytes(), 0o600); err != nil {
		return err
	}
	if j.file != nil {
		j.file.Close()
	}
	file, err := os.OpenFile(j.path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening it for more: %w", err)
	}
	j.file, j.lines, j.torn = file, len(items), false
	return nil
}
