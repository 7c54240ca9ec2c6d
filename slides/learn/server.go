package learn

import (
	"context"
	"encoding/json"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"github.com/fluxdemo/fluxdemo/demo/services/serve"
	"github.com/fluxdemo/fluxdemo/slides/diagrams"
	"github.com/fluxdemo/fluxdemo/slides/terminal"
)

const (
	// requestBytes is far above what the page sends as a command.
	requestBytes = 4 << 10
	// typedBytes is the longest text that can be pasted into the terminal.
	typedBytes = 1 << 20
	// sendTime is how long a browser may take to receive a message.
	sendTime = 10 * time.Second
	// protocol is the subprotocol of the page's WebSockets.
	protocol = "fluxdemo"
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { s.file(w, r, "learn.html") })
	mux.HandleFunc("GET /app/", func(w http.ResponseWriter, r *http.Request) { s.file(w, r, path.Clean(r.URL.Path)[1:]) })
	mux.HandleFunc("GET /api/events", s.getEvents)
	mux.HandleFunc("GET /api/terminal", s.getTerminal)
	mux.HandleFunc("GET /api/detail", diagrams.Detail(s.o.Live))
	mux.HandleFunc("POST /api/command", s.postCommand)
	return mux
}

// file sends a file of the web app.
func (s *Server) file(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Cache-Control", "no-cache") // another build may follow at this address
	http.ServeFileFS(w, r, s.app, name)
}

// commandRequest asks for something to be done.
type commandRequest struct {
	Command string `json:"command"` // check, hint, next, solve, reset, back, end, begin, or stop
}

// commandAnswer says that a command was taken.
type commandAnswer struct {
	Taken int `json:"taken"` // the lesson's, once it shows the command
}

func (s *Server) postCommand(w http.ResponseWriter, r *http.Request) {
	var m commandRequest
	if !serve.ReadJSON(w, r, requestBytes, &m) {
		return
	}
	if _, known := busy()[m.Command]; !known && m.Command != "stop" {
		http.Error(w, "invalid request: there is no command "+strconv.Quote(m.Command), http.StatusBadRequest)
		return
	}
	taken, err := s.lesson.command(m.Command)
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	serve.JSON(w, commandAnswer{taken})
}

// socket makes a request a WebSocket that is closed when the server ends. The guard has checked origin and token.
func (s *Server) socket(w http.ResponseWriter, r *http.Request) (conn *websocket.Conn, ctx context.Context, end func(), err error) {
	// Compression would save nothing on this machine.
	conn, err = websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol}})
	if err != nil {
		return nil, nil, nil, err // Accept has answered
	}
	conn.SetReadLimit(typedBytes)
	ctx, cancel := context.WithCancel(s.ending)
	return conn, ctx, func() { cancel(); _ = conn.CloseNow() }, nil
}

// write sends a message. It fails if the browser does not receive it in time.
func write(ctx context.Context, conn *websocket.Conn, kind websocket.MessageType, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	return conn.Write(ctx, kind, data)
}

// eventModel is a message of the stream of events, as browsers receive it.
type eventModel struct {
	Event string          `json:"event"` // hello, lesson, state, or pulse
	Data  json.RawMessage `json:"data"`
}

func sendEvent(ctx context.Context, conn *websocket.Conn, event string, v any) error {
	data, err := json.Marshal(v)
	if err == nil {
		data, err = json.Marshal(eventModel{event, data})
	}
	if err != nil {
		return err
	}
	return write(ctx, conn, websocket.MessageText, data)
}

func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) {
	conn, ctx, end, err := s.socket(w, r)
	if err != nil {
		return
	}
	defer end()
	defer s.lesson.view()()
	ctx = conn.CloseRead(ctx) // ends when the browser goes
	hello, at := s.hello()
	if sendEvent(ctx, conn, "hello", hello) != nil {
		return
	}
	for {
		items, last, changed := s.feed.Since(at)
		if last-at != int64(len(items)) { // it missed some
			if hello, at = s.hello(); sendEvent(ctx, conn, "hello", hello) != nil {
				return
			}
			continue
		}
		for _, it := range items {
			if sendEvent(ctx, conn, it.Value.event, it.Value.data) != nil {
				return
			}
		}
		at = last
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// pieceModel comes before a piece of the terminal's output, which is a message of its own.
type pieceModel struct {
	Anew bool           `json:"anew,omitempty"` // clear the screen
	Past bool           `json:"past,omitempty"` // do not answer what the piece asks the terminal
	Size *terminal.Size `json:"size,omitempty"`
}

// typedModel is what a browser sends besides what is typed.
type typedModel struct {
	Size  *terminal.Size `json:"size,omitempty"`
	Shown int64          `json:"shown,omitempty"` // how many more bytes the browser has shown
}

// getTerminal connects a browser to the terminal. Output and input are binary messages, all else is JSON.
func (s *Server) getTerminal(w http.ResponseWriter, r *http.Request) {
	if s.terminal == nil {
		http.Error(w, "this page has no terminal; start it without --no-terminal", http.StatusNotFound)
		return
	}
	conn, ctx, end, err := s.socket(w, r)
	if err != nil {
		return
	}
	defer end()
	view := s.terminal.View()
	defer view.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		s.typed(ctx, conn, view)
	}()
	for {
		p, err := view.Next(ctx)
		if err != nil {
			return
		}
		if p.Anew || p.Size != nil {
			data, err := json.Marshal(pieceModel{p.Anew, p.Past, p.Size})
			if err != nil || write(ctx, conn, websocket.MessageText, data) != nil {
				return
			}
		}
		if len(p.Text) > 0 || p.Past { // the end of the past, even if it is empty
			if write(ctx, conn, websocket.MessageBinary, p.Text) != nil {
				return
			}
		}
	}
}

// typed takes what a browser sends, until it goes.
func (s *Server) typed(ctx context.Context, conn *websocket.Conn, view *terminal.View) {
	for {
		kind, data, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageBinary {
			if _, err := s.terminal.Write(data); err != nil {
				continue // the shell has just ended
			}
			continue
		}
		var m typedModel
		if json.Unmarshal(data, &m) != nil {
			return
		}
		if m.Size != nil {
			s.terminal.Resize(*m.Size)
		}
		view.Shown(m.Shown)
	}
}
