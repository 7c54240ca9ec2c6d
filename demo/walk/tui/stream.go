package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// atOnce is how many events the screen takes in before it is drawn again. Commands that write faster than that wait.
const atOnce = 256

// item is one thing that the session has to say: an event, or that it is done.
type item struct {
	event  walk.Event
	resume chan struct{} // closed when the command of the event has been typed; nil if nothing waits for that
	done   bool
	err    error // with done: why it failed
}

// batch is the message with which items come to the model, in their order.
type batch []item

// stream carries what the session says from its goroutine to the model.
type stream struct {
	items chan item
	quit  chan struct{} // closed when the screen stops listening
}

func newStream() *stream {
	return &stream{items: make(chan item, atOnce), quit: make(chan struct{})}
}

func (s *stream) put(it item) {
	select {
	case s.items <- it:
	case <-s.quit:
	}
}

// read is a command that waits for items.
func (s *stream) read() tea.Msg {
	var b batch
	select {
	case it := <-s.items:
		b = append(b, it)
	case <-s.quit:
		return nil
	}
	for len(b) < atOnce {
		select {
		case it := <-s.items:
			b = append(b, it)
		default:
			return b
		}
	}
	return b
}

// events returns what a session reports to. When typing is true, a command that is shown starts only after it has
// been typed: the event that announces it returns then.
func (s *stream) events(ctx context.Context, typing bool) walk.Events {
	return func(ev walk.Event) {
		it := item{event: ev}
		if typing && ev.Kind == walk.CommandStart && shown(ev.Block) {
			it.resume = make(chan struct{})
		}
		s.put(it)
		if it.resume == nil {
			return
		}
		select {
		case <-it.resume:
		case <-ctx.Done():
		case <-s.quit:
		}
	}
}

// shown reports whether a block's commands are typed on the screen; of checks only their names are.
func shown(b *walk.Block) bool {
	return b.Role == walk.Change || b.Role == walk.Look
}
