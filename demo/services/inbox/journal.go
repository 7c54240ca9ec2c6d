package inbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/demo/services/event"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

// The journal is written anew when it has this many lines that do not count any more, or this many bytes of them.
const (
	spentLines = 4 * remembered
	spentBytes = 16 << 20
)

// journal keeps the notifications in a file, a JSON object a line, so that the inbox has them after a crash. Only the
// feed's AddKept calls it, one call at a time: so the feed has all that is in the file.
type journal struct {
	file statefile.Journal
	log  *slog.Logger
	// lines and size are those of the file, kept is what its size was when it was written anew.
	lines      int
	size, kept int64
}

// openJournal puts what the file at path holds into feed, and opens it for more. Without a path it returns nil.
func openJournal(path string, feed *serve.Feed[event.Flux], log *slog.Logger) (*journal, error) {
	if path == "" {
		return nil, nil
	}
	j := &journal{file: statefile.Journal{Path: path, Perm: 0o600}, log: log}
	var items []serve.Item[event.Flux]
	damaged, err := j.file.Read(func(record json.RawMessage) error {
		var n event.Notification
		if err := json.Unmarshal(record, &n); err != nil || n.ID == 0 {
			return errors.Join(err, errNone)
		}
		j.lines++
		j.size += int64(len(record)) + 1
		items = append(items, serve.Item[event.Flux]{ID: n.ID, Time: n.Received, Value: n.Flux})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(damaged) > 0 {
		log.Warn("some lines of the journal are no notifications", "file", path, "lines", len(damaged))
	}
	feed.Restore(items)
	j.compact(feed)
	return j, nil
}

var errNone = errors.New("not a notification")

// add appends one notification, and returns when it is on disk. After an error the file is as it was.
func (j *journal) add(n event.Notification, feed *serve.Feed[event.Flux]) error {
	if j == nil {
		return nil
	}
	j.compact(feed)
	raw, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encoding a notification: %w", err)
	}
	if err := j.file.Append(json.RawMessage(raw)); err != nil {
		return err
	}
	j.lines++
	j.size += int64(len(raw)) + 1
	return nil
}

// compact replaces the file by one with what the feed holds, in one step, if much of it does not count any more. If that
// fails, the file is as it was, and the next notification tries again.
func (j *journal) compact(feed *serve.Feed[event.Flux]) {
	if j.lines < remembered+spentLines && j.size < 2*j.kept+spentBytes {
		return
	}
	var out bytes.Buffer
	items, _, _ := feed.Since(0)
	for _, it := range items {
		raw, err := json.Marshal(number(it))
		if err != nil {
			j.log.Warn("the journal could not be written anew", "error", err.Error())
			return
		}
		out.Write(append(raw, '\n'))
	}
	if err := statefile.Write(j.file.Path, out.Bytes(), j.file.Perm); err != nil {
		j.log.Warn("the journal could not be written anew", "error", err.Error())
		return
	}
	j.lines, j.size, j.kept = len(items), int64(out.Len()), int64(out.Len())
}

// full reports whether a write has failed because there is no room.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
