package plaintext

import (
	"io"
	"sync"
)

// Writer writes what passes a Filter, with its colours, at once. Several goroutines may write.
type Writer struct {
	mu     sync.Mutex
	to     io.Writer
	filter Filter
}

// NewWriter returns a Writer to another one.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.pass(w.filter.Append(nil, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush ends what was written, which needs no more of it: see Filter.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pass(w.filter.Flush(nil))
}

func (w *Writer) pass(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	_, err := w.to.Write(text)
	return err
}
