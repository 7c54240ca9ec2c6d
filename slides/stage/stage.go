// Package stage shows a deck in browsers: it serves the web app, keeps all browsers at the speaker's place, and hands
// on what happens in the cluster and in the steps of walks. Who holds the token moves the talk on; anybody on this
// machine may watch.
package stage

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/slides/deck"
	"github.com/fluxdemo/fluxdemo/slides/web"
)

// ErrBusy says that a step is still running, so that the talk cannot move on.
var ErrBusy = errors.New("the step is still running")

// remembered is how many messages a browser may be behind before it gets the whole picture anew.
const remembered = 512

// Live tells how the cluster is: a *live.Watcher.
type Live interface {
	// Subscribe returns how everything is, and what happens from then on until ctx ends.
	Subscribe(ctx context.Context) ([]live.State, <-chan live.Event)
	// Detail looks closely at one thing.
	Detail(ctx context.Context, t binding.Target) (live.Detail, error)
}

// Walks finds walks, and tells them.
type Walks interface {
	// Find returns the walk called name.
	Find(name string) (*walk.Walk, error)
	// Open takes up the walk where it was left.
	Open(ctx context.Context, name string) (Session, error)
}

// Options says what is on stage.
type Options struct {
	// Deck is the deck's file.
	Deck string
	// Live tells how the cluster is; nil without one: diagrams are only drawn then.
	Live Live
	// Defaults names the objects that a diagram means when it names a kind only.
	Defaults binding.Defaults
	// Planned returns what the nodes of a diagram, given by its text, would be in the cluster if somebody ran it, by their
	// IDs; nil for those that cannot be run. It is asked for diagrams that name nothing in the cluster. It may be nil.
	Planned func(source string) map[string]string
	// Walks finds the walks that the slides name; nil when none can be run.
	Walks Walks
	// Charts draws, as SVG elements, how long a Kustomization, as namespace/name, waits for its controller, against what
	// was promised. It is asked for those that the deck names. nil without a cluster.
	Charts func(kustomization string, slo time.Duration) ([]string, error)
	// Told is a session that somebody else tells and reports; the stage asks it for steps of its walk. nil for none.
	Told Session
	// Token is what whoever moves the talk has to know; "" makes one.
	Token string
	// Keep is told each new place, also that of the start; nil for nobody.
	Keep func(Kept) error
	// From is where an earlier stage of the same deck has stopped; nil starts at the first slide.
	From *Kept
}

// Kept is what a stage takes up that follows another one.
type Kept struct {
	Place   Place     `json:"place"`
	Started time.Time `json:"started"` // when the talk began; zero before
}

// Stage is a deck that is being shown. Its methods may be called at any time, from anywhere.
type Stage struct {
	o        Options
	instance string // tells this stage from one that was here before
	app      fs.FS
	feed     *serve.Feed[message]
	reload   sync.Mutex // held while the deck is read

	mu       sync.Mutex
	ctx      context.Context // ends what the stage does; nil before Serve
	version  int64
	talk     *talk
	place    Place
	started  time.Time
	states   map[binding.Target]stateModel
	working  *Step // the step that runs, or the last that ran; nil before
	terminal transcript
	sessions map[string]Session
	current  string // the walk that was told last
	job      *Job   // what runs; nil when nothing does
	jobs     sync.WaitGroup
}

// message is one event for browsers.
type message struct {
	event string
	data  json.RawMessage
}

// New reads the deck. It fails when the deck's file cannot be read, or when the web app was not built.
func New(o Options) (*Stage, error) {
	app, err := web.Files()
	if err != nil {
		return nil, err
	}
	if o.Token == "" {
		o.Token = Secret()
	}
	s := &Stage{
		o: o, instance: Secret(), app: app, feed: serve.NewFeed[message](remembered),
		states: map[binding.Target]stateModel{}, sessions: map[string]Session{},
	}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	if o.From != nil {
		s.place, s.started = s.talk.keep(o.From.Place), o.From.Started
	}
	return s, nil
}

// Secret makes a token that nobody can guess.
func Secret() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// Token is what whoever moves the talk has to know.
func (s *Stage) Token() string { return s.o.Token }

// Place is where the talk is.
func (s *Stage) Place() Place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.place
}

// Serve shows the deck on a listener, which must be on loopback, until ctx ends. Then it stops a step that runs, and
// returns nil.
func (s *Stage) Serve(ctx context.Context, ln net.Listener) error {
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsLoopback() {
		return fmt.Errorf("the stage only listens on loopback, not on %s", ln.Addr())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.ctx = ctx
	s.mu.Unlock()
	watching, err := s.watch(ctx)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	all.Go(watching)
	if s.o.Live != nil {
		all.Go(func() { s.listen(ctx) })
	}
	if err := s.keep(); err != nil {
		return err
	}
	err = serve.Serve(ctx, ln, s.handler(addr.Port), nil)
	cancel()
	all.Wait()
	s.jobs.Wait()
	return err
}

// Reload reads the deck again. Everybody stays at their place; when nothing has changed nothing happens.
func (s *Stage) Reload() error {
	s.reload.Lock()
	defer s.reload.Unlock()
	d, err := deck.Load(s.o.Deck)
	if err != nil {
		return fmt.Errorf("read the deck: %w", err)
	}
	to := ties{defaults: s.o.Defaults, planned: s.o.Planned}
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
	s.place = t.keep(s.place)
	s.send("deck", map[string]int64{"version": s.version})
	s.send("place", s.placed())
	return nil
}

// send hands a message to every browser. The stage is locked.
func (s *Stage) send(event string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		return // all that is sent is made of strings and numbers
	}
	s.feed.Add(message{event, data})
}

// placeModel is the place as browsers get it.
type placeModel struct {
	Place
	Started int64 `json:"started"` // when the talk began, in milliseconds since 1970; 0 before
}

func (s *Stage) placed() placeModel {
	m := placeModel{Place: s.place}
	if !s.started.IsZero() {
		m.Started = s.started.UnixMilli()
	}
	return m
}

// goTo makes p the place of the talk. The stage is locked.
func (s *Stage) goTo(p Place) {
	if p == s.place {
		return
	}
	s.place = p
	if s.started.IsZero() && p.Slide > 0 {
		s.started = time.Now() // the title may stand there long before the talk begins
	}
	s.send("place", s.placed())
	// What cannot be kept now is kept with the next place; the show goes on.
	_ = s.keep()
}

// keep remembers the place for a stage that may follow this one.
func (s *Stage) keep() error {
	if s.o.Keep == nil {
		return nil
	}
	return s.o.Keep(Kept{Place: s.place, Started: s.started})
}

// Handler is the stage's web server as one at this port of loopback.
func (s *Stage) handler(port int) http.Handler {
	return guard(port, s.o.Token, s.routes())
}
