// Package learn serves the page on which a learner does a walk: the task of each step, hints, and the results of its
// checks, beside a live diagram and a terminal. Only a client with the server's token reaches any of them.
package learn

import (
	"context"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/slides/diagrams"
	"github.com/fluxdemo/fluxdemo/slides/guard"
	"github.com/fluxdemo/fluxdemo/slides/terminal"
	"github.com/fluxdemo/fluxdemo/slides/web"
)

// remembered is how many messages a browser may be behind before it gets the whole state again.
const remembered = 256

// Session is the learner's walk: a *walk.Session. Only one Do runs at a time.
type Session interface {
	Walk() *walk.Walk
	Position() int
	Hints() int
	HasFleet() bool
	Rejoined() bool
	Do(ctx context.Context, c walk.Command, ev walk.Events) error
}

// Options says what to serve.
type Options struct {
	// Session is the walk in progress.
	Session Session
	// Progress is the file to which the session, and other processes, save its progress. A change of it by another
	// process shows at once. "" for none.
	Progress string
	// Live reports the state of the cluster; nil without one: then the diagram is not live.
	Live diagrams.Live
	// Defaults names the objects for diagrams that name only a kind.
	Defaults binding.Defaults
	// Shell is the shell of the terminal; nil for a page without one.
	Shell *terminal.Options
	// First are the lines to type first, in the order in which to type them.
	First []string
	// Links are the demo's pages, which the page links to.
	Links []Link
	// Again is the command that starts the walk again, for example "fluxdemo learn gitops --name mine"; "" for
	// "fluxdemo learn" with the walk's name.
	Again string
	// Token is the secret that clients need; "" generates one.
	Token string
}

// Link is a page of the demo, such as the app's.
type Link struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Server serves the page. Make it with New.
type Server struct {
	o        Options
	app      fs.FS
	lesson   *lesson
	feed     *serve.Feed[message]
	terminal *terminal.Terminal // nil without one
	ending   context.Context    // ends with Serve; set before the first request

	mu     sync.Mutex
	states map[binding.Target]diagrams.State
}

// message is one event for browsers.
type message struct {
	event string
	data  json.RawMessage
}

// New prepares a page. It fails if the web app is not built.
func New(o Options) (*Server, error) {
	app, err := web.Files()
	if err != nil {
		return nil, err
	}
	if o.Token == "" {
		o.Token = guard.NewToken()
	}
	s := &Server{o: o, app: app, feed: serve.NewFeed[message](remembered), states: map[binding.Target]diagrams.State{}}
	s.lesson = newLesson(o, func(m lessonModel) { s.send("lesson", m) })
	if o.Shell != nil {
		s.terminal = terminal.New(*o.Shell)
	}
	return s, nil
}

// Token returns the secret that clients need.
func (s *Server) Token() string { return s.o.Token }

// Serve serves the page on a listener until ctx ends, and ends the shell then. It fails if the listener is not on
// loopback.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	port, err := guard.Port(ln, "the page for learners")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.ending = ctx
	watching, err := s.lesson.watch(ctx)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	all.Go(watching)
	all.Go(func() { s.lesson.run(ctx) })
	if s.o.Live != nil {
		all.Go(func() { s.listen(ctx) })
	}
	if s.terminal != nil {
		all.Go(func() { s.terminal.Run(ctx) })
	}
	err = serve.Serve(ctx, ln, guard.New(guard.Options{
		Port: port, Token: s.o.Token, What: "this page", Where: "the address that `fluxdemo learn` printed",
		Private: private,
	}, s.routes()), nil)
	cancel()
	all.Wait()
	return err
}

// private reports whether a request needs the token. The page itself and its scripts are the same for all users.
func private(r *http.Request) bool {
	where := path.Clean(r.URL.Path)
	return where != "/" && !strings.HasPrefix(where, "/app/")
}

// send sends a message to all browsers.
func (s *Server) send(event string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		return // all that is sent is made of strings and numbers
	}
	s.feed.Add(message{event, data})
}

// listen sends the states and pulses of the cluster to all browsers until ctx ends.
func (s *Server) listen(ctx context.Context) {
	bound := s.lesson.bindings()
	states, events := s.o.Live.Subscribe(ctx)
	now := time.Now()
	for _, st := range states {
		s.setState(diagrams.NewState(st, now))
	}
	for {
		select {
		case <-ctx.Done():
			return
		case ev, more := <-events:
			if !more {
				return
			}
			if ev.State != nil {
				s.setState(diagrams.NewState(*ev.State, ev.Seen))
			}
			if p := ev.Pulse; p != nil {
				if p.What == binding.Push {
					s.lesson.look()
				}
				edges := map[string][]int{}
				for id, b := range bound {
					if crossed := diagrams.Edges(*b, *p); crossed != nil {
						edges[id] = crossed
					}
				}
				s.send("pulse", diagrams.NewPulse(*p, ev.Seen, edges))
			}
		}
	}
}

func (s *Server) setState(m diagrams.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states[m.Target] = m
	s.send("state", m)
}

// helloModel is the whole state, which a browser gets first, and again when it is too far behind.
type helloModel struct {
	Lesson lessonModel      `json:"lesson"`
	States []diagrams.State `json:"states"`
	Live   bool             `json:"live"` // there is a cluster
}

// hello returns the whole state, and the ID of a message that it includes, with all before. What it has besides comes
// again.
func (s *Server) hello() (helloModel, int64) {
	_, last, _ := s.feed.Since(0)
	m := helloModel{Lesson: s.lesson.model(), States: []diagrams.State{}, Live: s.o.Live != nil}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.states {
		m.States = append(m.States, st)
	}
	return m, last
}
