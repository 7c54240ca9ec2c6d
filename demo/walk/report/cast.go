package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fluxdemo/fluxdemo/demo/plaintext"
)

// castWidth and castHeight are the terminal of a recording: a screen's lines fit, with some air.
const castWidth, castHeight = 80, 24

// Cast is a recording in asciinema's format, version 2: what is written to it, with the times at which it was. It records
// a plain.Screen, which lets only text and colours of others pass.
type Cast struct {
	w     io.Writer
	start time.Time
	part  []byte // the first bytes of a character whose others have not come yet
	err   error
}

// NewCast begins a recording with a title on w.
func NewCast(w io.Writer, title string) (*Cast, error) {
	c := &Cast{w: w, start: time.Now()}
	c.line(struct {
		Version   int               `json:"version"`
		Width     int               `json:"width"`
		Height    int               `json:"height"`
		Timestamp int64             `json:"timestamp"`
		Title     string            `json:"title,omitempty"`
		Env       map[string]string `json:"env"`
	}{2, castWidth, castHeight, c.start.Unix(), plaintext.Line(title), map[string]string{"TERM": "xterm-256color"}})
	return c, c.err
}

// Write records output. A terminal would have made a line end into a way back to the first column; so does this.
func (c *Cast) Write(p []byte) (int, error) {
	text := append(c.part, p...)
	whole := len(text)
	for i := 1; i <= min(utf8.UTFMax-1, len(text)); i++ {
		if b := text[len(text)-i]; utf8.RuneStart(b) {
			if !utf8.FullRune(text[len(text)-i:]) {
				whole -= i
			}
			break
		}
	}
	c.part = append([]byte(nil), text[whole:]...)
	if whole > 0 {
		out := strings.ReplaceAll(string(text[:whole]), "\n", "\r\n")
		c.line([]any{time.Since(c.start).Round(time.Microsecond).Seconds(), "o", out})
	}
	return len(p), c.err
}

func (c *Cast) line(v any) {
	if c.err != nil {
		return
	}
	data, err := json.Marshal(v)
	if err == nil {
		_, err = c.w.Write(append(data, '\n'))
	}
	if err != nil {
		c.err = fmt.Errorf("writing the recording: %w", err)
	}
}

// Err returns why the recording is not whole; nil when it is.
func (c *Cast) Err() error { return c.err }
