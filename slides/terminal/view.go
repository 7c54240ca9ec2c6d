package terminal

import "context"

// View is what one browser has seen of a terminal.
type View struct {
	t     *Terminal
	next  int64 // the offset of what it gets next
	size  Size  // the last one that it got
	acked int64 // the offset up to which it has shown everything
	slow  bool  // it is not waited for
}

// Piece is what a browser gets next.
type Piece struct {
	// Anew says that the screen is to be cleared first: text is missing before this piece.
	Anew bool
	// Text is output of the shell. It is empty if only the size is new.
	Text []byte
	// Size is the size of the screen, if it is new.
	Size *Size
	// Past says that the text was written before: what it asks a terminal was answered then.
	Past bool
}

// View begins to show the terminal. Close ends that.
func (t *Terminal) View() *View {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := &View{t: t, next: -1, acked: t.start + int64(len(t.text))}
	t.views[v] = struct{}{}
	return v
}

// Close ends the view.
func (v *View) Close() {
	v.t.mu.Lock()
	defer v.t.mu.Unlock()
	delete(v.t.views, v)
	v.t.progress()
}

// Next waits for something new, until ctx ends. It waits too while the browser has much to show that it already got.
func (v *View) Next(ctx context.Context) (Piece, error) {
	for {
		v.t.mu.Lock()
		p, ok := v.take()
		changed, shown := v.t.changed, v.t.shown
		v.t.mu.Unlock()
		if ok {
			return p, nil
		}
		select {
		case <-changed:
		case <-shown:
		case <-ctx.Done():
			return Piece{}, ctx.Err()
		}
	}
}

// take returns the next piece, if there is one. The terminal is locked.
func (v *View) take() (p Piece, ok bool) {
	t := v.t
	end := t.start + int64(len(t.text))
	if v.size != t.size {
		size := t.size
		v.size, p.Size, ok = size, &size, true
	}
	if v.next < t.start { // it is new, or too far behind
		p.Anew, p.Past, ok = true, true, true
		v.next, v.acked = t.start, t.start
	}
	if v.next < end && v.next-v.acked < windowBytes || p.Anew {
		p.Text, ok = append([]byte(nil), t.text[v.next-t.start:]...), true
		v.next = end
	}
	return p, ok
}

// Shown notes that the browser has shown so many more bytes.
func (v *View) Shown(bytes int64) {
	v.t.mu.Lock()
	defer v.t.mu.Unlock()
	v.acked = min(v.acked+max(bytes, 0), v.next)
	if v.next-v.acked < windowBytes/2 {
		v.slow = false
	}
	v.t.progress()
}

// progress wakes the shell and the browsers that wait for a browser. The terminal is locked.
func (t *Terminal) progress() {
	close(t.shown)
	t.shown = make(chan struct{})
}
