package clusters

import (
	"bytes"
	"io"
	"os"
	"strings"
)

// LogError is a failure whose reason stands in a log file.
type LogError struct {
	Err  error
	Log  string // path
	Tail string // the log's last lines, once ReadTail was called
}

func (e *LogError) Error() string { return e.Err.Error() }

func (e *LogError) Unwrap() error { return e.Err }

// tailLines is how much of a log a person wants to see after a failure.
const tailLines = 12

// ReadTail reads the last lines of the log into Tail. Call it before the log
// is removed.
func (e *LogError) ReadTail() {
	file, err := os.Open(e.Log)
	if err != nil {
		return
	}
	defer file.Close()
	const most = 16 << 10
	if info, err := file.Stat(); err == nil && info.Size() > most {
		if _, err := file.Seek(-most, io.SeekEnd); err != nil {
			return
		}
	}
	raw, err := io.ReadAll(file)
	if err != nil {
		return
	}
	lines := strings.Split(string(bytes.TrimRight(raw, "\n")), "\n")
	e.Tail = strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
