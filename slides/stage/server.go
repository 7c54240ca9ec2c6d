package stage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/services/serve"
	"github.com/fluxdemo/fluxdemo/slides/deck"
	"github.com/fluxdemo/fluxdemo/slides/diagrams"
)

// requestBytes is far above what the stage's own pages send.
const requestBytes = 64 << 10

func (s *Stage) routes() http.Handler {
	mux := http.NewServeMux()
	page := func(w http.ResponseWriter, r *http.Request) { s.file(w, r, "index.html") }
	mux.HandleFunc("GET /{$}", page)
	mux.HandleFunc("GET /presenter", page)
	mux.HandleFunc("GET /app/", func(w http.ResponseWriter, r *http.Request) { s.file(w, r, path.Clean(r.URL.Path)[1:]) })
	mux.HandleFunc("GET /deck.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, "deck.css", time.Time{}, bytes.NewReader([]byte(deck.CSS())))
	})
	mux.HandleFunc("GET /assets/{name...}", s.asset)
	mux.HandleFunc("GET /api/deck", s.getDeck)
	mux.HandleFunc("GET /api/events", s.getEvents)
	mux.HandleFunc("GET /api/detail", diagrams.Detail(s.o.Live))
	mux.HandleFunc("GET /api/charts", s.getCharts)
	mux.HandleFunc("GET /api/position", func(w http.ResponseWriter, _ *http.Request) { serve.JSON(w, s.answer(nil)) })
	mux.HandleFunc("POST /api/position", s.postPosition)
	mux.HandleFunc("POST /api/step", s.postStep)
	mux.HandleFunc("POST /api/clock", func(w http.ResponseWriter, _ *http.Request) {
		s.ResetClock()
		serve.JSON(w, s.answer(nil))
	})
	return mux
}

// file sends a file of the web app.
func (s *Stage) file(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Cache-Control", "no-cache") // another build may follow at this address
	http.ServeFileFS(w, r, s.app, name)
}

// asset sends an image that the deck shows, and no other file.
func (s *Stage) asset(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	d := s.talk.deck
	s.mu.Unlock()
	file, err := d.OpenAsset(r.PathValue("name"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		http.NotFound(w, r)
		return
	}
	// An SVG that is opened by itself could bring scripts.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox")
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, info.Name(), info.ModTime(), file)
}

func (s *Stage) getDeck(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	version, model := s.version, s.talk.model
	s.mu.Unlock()
	serve.JSON(w, struct {
		Version int64           `json:"version"`
		Deck    json.RawMessage `json:"deck"`
	}{version, model})
}

// helloModel is the whole state, which a browser gets first, and again when it is too far behind.
type helloModel struct {
	Instance string           `json:"instance"`
	Version  int64            `json:"version"` // the deck's
	Position positionModel    `json:"position"`
	Step     *Step            `json:"step"`
	States   []diagrams.State `json:"states"`
	Terminal terminalModel    `json:"terminal"`
	Live     bool             `json:"live"` // there is a cluster
}

// hello returns the whole state, and the ID of the last message that it includes.
func (s *Stage) hello() (helloModel, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := helloModel{
		Instance: s.instance, Version: s.version, Position: newPosition(s.position, s.started), Step: s.working, States: []diagrams.State{},
		Terminal: s.terminal.all(), Live: s.o.Live != nil,
	}
	for _, st := range s.states {
		m.States = append(m.States, st)
	}
	_, last, _ := s.feed.Since(0)
	return m, last
}

func (s *Stage) getEvents(w http.ResponseWriter, r *http.Request) {
	stream, ok := serve.NewStream(w)
	if !ok {
		return
	}
	hello, at := s.hello()
	if stream.Send("", "hello", hello) != nil {
		return
	}
	for {
		items, last, changed := s.feed.Since(at)
		if last-at != int64(len(items)) { // it missed some
			hello, at = s.hello()
			if stream.Send("", "hello", hello) != nil {
				return
			}
			continue
		}
		for _, it := range items {
			if stream.Send(strconv.FormatInt(it.ID, 10), it.Value.event, it.Value.data) != nil {
				return
			}
		}
		at = last
		if !stream.Wait(r.Context(), changed) {
			return
		}
	}
}

// getCharts draws the charts that a slide names. No others: each costs the cluster a watch.
func (s *Stage) getCharts(w http.ResponseWriter, r *http.Request) {
	if s.o.Charts == nil {
		http.Error(w, "no cluster is running; `fluxdemo up` starts one", http.StatusNotFound)
		return
	}
	s.mu.Lock()
	slides := s.talk.deck.Slides
	s.mu.Unlock()
	of := r.URL.Query().Get("of")
	for _, slide := range slides {
		if slide.Chart.Kustomization != of || of == "" {
			continue
		}
		charts, err := s.o.Charts(of, slide.Chart.SLO)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		serve.JSON(w, struct {
			Charts []string `json:"charts"`
		}{charts})
		return
	}
	http.Error(w, "no slide has a chart of "+strconv.Quote(of), http.StatusNotFound)
}

// answerModel is the answer to a command.
type answerModel struct {
	Position Position `json:"position"`
	Step     *Step    `json:"step,omitempty"` // set if the command has started a step
	Error    string   `json:"error,omitempty"`
}

func (s *Stage) answer(j *Job) answerModel {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := answerModel{Position: s.position}
	if j != nil {
		m.Step = s.working
	}
	return m
}

// positionRequest changes the position: by a command, or by the name of a slide.
type positionRequest struct {
	Command  string `json:"command"`            // next or back
	Slide    string `json:"slide"`              // ID, title or number from 1
	Fragment *int   `json:"fragment,omitempty"` // with Slide: the last fragment that shows, counted from 0; -1 for none
	Wait     bool   `json:"wait"`               // answer when a step that this starts has ended
}

func (s *Stage) postPosition(w http.ResponseWriter, r *http.Request) {
	var m positionRequest
	if !serve.ReadJSON(w, r, requestBytes, &m) {
		return
	}
	s.respond(w, r, m.Wait, func() (*Job, error) {
		switch {
		case m.Slide != "" && m.Command == "":
			fragment := -1
			if m.Fragment != nil {
				fragment = *m.Fragment
			}
			return nil, s.GoTo(m.Slide, fragment)
		case m.Command == "next":
			return s.Next()
		case m.Command == "back":
			return s.Back()
		}
		return nil, fmt.Errorf("%w: command must be next or back, or slide must name a slide", errInput)
	})
}

func (s *Stage) postStep(w http.ResponseWriter, r *http.Request) {
	var m struct {
		Command string `json:"command"` // again, skip or stop
		Wait    bool   `json:"wait"`
	}
	if !serve.ReadJSON(w, r, requestBytes, &m) {
		return
	}
	s.respond(w, r, m.Wait, func() (*Job, error) {
		switch m.Command {
		case "again":
			return s.Again()
		case "skip":
			return s.Skip()
		case "stop":
			s.Stop()
			return nil, nil
		}
		return nil, fmt.Errorf("%w: command must be again, skip, or stop", errInput)
	})
}

// respond carries out a command and answers with the position.
func (s *Stage) respond(w http.ResponseWriter, r *http.Request, waits bool, do func() (*Job, error)) {
	j, err := do()
	switch {
	case errors.Is(err, ErrBusy):
		http.Error(w, err.Error(), http.StatusConflict)
		return
	case errors.Is(err, errInput):
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	failed := ""
	if waits {
		if err := j.Wait(r.Context()); err != nil {
			failed = err.Error()
		}
	}
	answer := s.answer(j)
	answer.Error = failed
	serve.JSON(w, answer)
}
