// Package output is what commands write to: stdout and stderr, of which only text and colours reach the terminal.
// Messages of objects, logs, and errors need no care of their own then.
package output

import (
	"io"
	"os"

	"github.com/charmbracelet/x/term"

	"github.com/fluxdemo/fluxdemo/demo/plaintext"
)

// Clean is a writer that passes on text and colours only.
type Clean struct {
	*plaintext.Writer
	below io.Writer
}

// New returns a Clean writer to w. Flush it at the end.
func New(w io.Writer) *Clean { return &Clean{Writer: plaintext.NewWriter(w), below: w} }

// Below returns the writer below a Clean one, for what draws on the terminal and lets only text of others pass itself,
// and for what another program reads. Any other writer it returns as it is.
func Below(w io.Writer) io.Writer {
	if c, is := w.(*Clean); is {
		return c.below
	}
	return w
}

// Terminal returns the terminal that w writes to, to draw on it. drawable is false if there is none.
func Terminal(w io.Writer) (tty *os.File, drawable bool) {
	file, is := Below(w).(*os.File)
	if !is || !term.IsTerminal(file.Fd()) || os.Getenv("TERM") == "dumb" {
		return nil, false
	}
	return file, true
}
