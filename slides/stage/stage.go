// Package stage presents a deck in browsers: it serves the web app, keeps all browsers at the presenter's position, and
// sends them the state of the cluster and the progress of steps. A client with the token can control the talk;
// every client on this machine can watch the slides, and not what the objects and logs of the cluster say.
package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/slides/deck"
	"github.com/fluxdemo/fluxdemo/slides/diagrams"
	"github.com/fluxdemo/fluxdemo/slides/guard"
	"github.com/fluxdemo/fluxdemo/slides/web"
)

// ErrBusy says that a step is still running, so that the position cannot change.
var ErrBusy = errors.New("the step is still running")

// remembered is how many messages a browser may be behind before it gets the whole state again.
const remembered = 512

// Walks finds walks and opens their sessions.
type Walks interface {
	// Find returns the walk called name.
	Find(name string) (*walk.Walk, error)
	// Open opens the walk at its saved position.
	Open(ctx context.Context, name string) (Session, error)
}

// Options says what to present.
type Options struct {
	// Deck is the deck's file.
	Deck string
	// Live reports the state of the cluster; nil without a cluster: then diagrams are not live.
	Live diagrams.Live
	// Defaults names the objects for diagrams that name only a kind.
	Defaults binding.Defaults
	// Planned returns the targets that the nodes of a diagram, given by its text, get when it runs, by their IDs; nil
	// for a diagram that cannot run. The stage calls it for diagrams without targets. It may be nil.
	Planned func(source string) map[string]string
	// Walks finds the walks that the slides name; nil if no walk can run.
	Walks Walks
	// Charts draws, as SVG elements, how long a Kustomization (namespace/name) waits for its controller, and the SLO. The
	// stage calls it for those that the deck names. nil without a cluster.
	Charts func(kustomization string, slo time.Duration) ([]string, error)
	// Session is a session that is driven and reported elsewhere, such as in the terminal. The stage uses it for steps
	// of its walk. nil for none.
	Session Session
	// Token is the secret that clients need to control the talk; "" generates one.
	Token string
	// Keep saves each new position, including the start. It is called without the stage's lock, by one goroutine at a
	// time, and in order. It may be nil.
	Keep func(Kept) error
	// From is the last position of an earlier stage of the same deck; nil starts at the first slide.
	From *Kept
}

// Kept is the state that a stage takes over from an earlier one.
type Kept struct {
	Position Position  `json:"position"`
	Started  time.Time `json:"started"` // when the talk began; zero before
}

// Stage presents a deck. Its methods may be called at any time by any goroutine.
type Stage struct {
	o        Options
	instance string // distinguishes this stage from an earlier one at the same address
	app      fs.FS
	feed     *serve.Feed[message]
	reload   sync.Mutex // held while the deck is read
	keeping  sync.Mutex // held while Options.Keep runs

	mu       sync.Mutex // no file is written while it is held
	version  int64
	talk     *talk
	position Position
	started  time.Time
	unkept   bool // a command has set position or started since Options.Keep saved them
	states   map[binding.Target]diagrams.State
	working  *Step // the step that runs, or the last that ran; nil before
	terminal transcript
	sessions map[string]Session
	current  string // the walk that ran last
	job      *Job   // what runs; nil when nothing does
	// run calls a function in a goroutine, with a context that ends with Serve's or with what run returns. Serve waits for
	// it. nil while the stage does not serve.
	run func(func(ctx context.Context)) context.CancelFunc
}

// message is one event for browsers.
type message struct {
	event string
	data  json.RawMessage
}

// New reads the deck. It fails if it cannot read the deck's file, or if the web app is not built.
func New(o Options) (*Stage, error) {
	app, err := web.Files()
	if err != nil {
		return nil, err
	}
	if o.Token == "" {
		o.Token = guard.NewToken()
	}
	s := &Stage{
		o: o, instance: guard.NewToken(), app: app, feed: serve.NewFeed[message](remembered),
		states: map[binding.Target]diagrams.State{}, sessions: map[string]Session{}, unkept: true,
	}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	if o.From != nil {
		s.position, s.started = s.talk.keep(o.From.Position), o.From.Started
	}
	return s, nil
}

// Token returns the secret that clients need to control the talk.
func (s *Stage) Token() string { return s.o.Token }

// Position returns the position of the talk.
func (s *Stage) Position() Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position
}

// Serve presents the deck on a listener until ctx ends. Then it stops a running step, and returns nil. It fails if the
// listener is not on loopback.
func (s *Stage) Serve(ctx context.Context, ln net.Listener) error {
	port, err := guard.Port(ln, "the stage")
	if err != nil {
		return err
	}
	if err := s.keep(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watching, err := s.watch(ctx)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	all.Go(watching)
	if s.o.Live != nil {
		all.Go(func() { s.listen(ctx) })
	}
	s.setRun(func(f func(ctx context.Context)) context.CancelFunc {
		ctx, cancel := context.WithCancel(ctx)
		all.Go(func() {
			defer cancel()
			f(ctx)
		})
		return cancel
	})
	err = serve.Serve(ctx, ln, s.handler(port), nil)
	s.setRun(nil) // all may not grow any more
	cancel()
	all.Wait()
	return err
}

func (s *Stage) setRun(run func(func(ctx context.Context)) context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run = run
}

// Reload reads the deck again, and keeps the position. It does nothing if the deck has not changed.
func (s *Stage) Reload() error {
	s.reload.Lock()
	defer s.reload.Unlock()
	d, err := deck.Load(s.o.Deck)
	if err != nil {
		return fmt.Errorf("reading the deck: %w", err)
	}
	to := binder{Binder: diagrams.Binder{Defaults: s.o.Defaults, Planned: s.o.Planned}}
	if s.o.Walks != nil {
		to.find = s.o.Walks.Find
	}
	t, err := newTalk(d, to)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.talk != nil && s.talk.same(t) {
		return nil
	}
	s.version++
	s.talk = t
	s.position = t.keep(s.position)
	s.send("deck", map[string]int64{"version": s.version})
	s.sendPosition()
	return nil
}

// send sends a message to all browsers. The stage is locked.
func (s *Stage) send(event string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		return // all that is sent is made of strings and numbers
	}
	s.feed.Add(message{event, data})
}

// positionModel is the position as browsers receive it.
type positionModel struct {
	Position
	Started int64 `json:"started"` // when the talk began, in milliseconds since 1970; 0 before
}

func newPosition(p Position, started time.Time) positionModel {
	m := positionModel{Position: p}
	if !started.IsZero() {
		m.Started = started.UnixMilli()
	}
	return m
}

// sendPosition sends the position to all browsers. The stage is locked.
func (s *Stage) sendPosition() { s.send("position", newPosition(s.position, s.started)) }

// goTo makes p the position of the talk. The stage is locked; release keeps the position.
func (s *Stage) goTo(p Position) {
	if p == s.position {
		return
	}
	s.position, s.unkept = p, true
	if s.started.IsZero() && p.Slide > 0 {
		s.started = time.Now() // the title may stand there long before the talk begins
	}
	s.sendPosition()
}

// release unlocks the stage, and then keeps its position if that is new.
func (s *Stage) release() {
	unkept := s.unkept
	s.mu.Unlock()
	if !unkept {
		return
	}
	_ = s.keep() // what cannot be kept now is kept with the next position; the talk goes on
}

// keep saves the position, if it is new, for a later stage. The stage is not locked: who only reads it does not wait
// for a disk.
// The last of several calls saves the position of that moment.
func (s *Stage) keep() error {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	s.mu.Lock()
	unkept, now := s.unkept, Kept{Position: s.position, Started: s.started}
	s.unkept = false
	s.mu.Unlock()
	if !unkept || s.o.Keep == nil {
		return nil
	}
	err := s.o.Keep(now)
	if err != nil {
		s.mu.Lock()
		s.unkept = true
		s.mu.Unlock()
	}
	return err
}

// handler returns the handler of a server at this port of 127.0.0.1.
func (s *Stage) handler(port int) http.Handler {
	return guard.New(guard.Options{
		Port: port, Token: s.o.Token, What: "the presentation", Where: "the presenter's address that `fluxdemo present` printed",
		// Objects and logs may say more than the slides, and every user of this machine reaches the stage.
		Private: func(r *http.Request) bool { return r.URL.Path == "/api/detail" },
	}, s.routes())
}
