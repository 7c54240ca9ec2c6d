package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
	"github.com/fluxdemo/fluxdemo/slides/deck"
)

const (
	// requestBytes is far above what the stage's own pages send.
	requestBytes = 64 << 10
	// bodyTime is how long a request's body may take.
	bodyTime = 5 * time.Second
	// detailTime is how long a close look at an object may take.
	detailTime = 10 * time.Second
)

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
	mux.HandleFunc("GET /api/detail", s.getDetail)
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

// helloModel is the whole picture, which a browser gets first, and when it was too far behind.
type helloModel struct {
	Instance string        `json:"instance"`
	Version  int64         `json:"version"` // the deck's
	Place    placeModel    `json:"place"`
	Step     *Step         `json:"step"`
	States   []stateModel  `json:"states"`
	Terminal terminalModel `json:"terminal"`
	Live     bool          `json:"live"` // there is a cluster
}

// hello returns the whole picture, and the ID of the last message that is in it.
func (s *Stage) hello() (helloModel, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := helloModel{
		Instance: s.instance, Version: s.version, Place: s.placed(), Step: s.working, States: []stateModel{},
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

func (s *Stage) getDetail(w http.ResponseWriter, r *http.Request) {
	if s.o.Live == nil {
		http.Error(w, "there is no cluster: `fluxdemo up` brings one up", http.StatusNotFound)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), detailTime)
	defer cancel()
	d, err := s.o.Live.Detail(ctx, binding.Target(r.URL.Query().Get("target")))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	serve.JSON(w, d)
}

// getCharts draws the charts that a slide names. No others: each costs the cluster a watch.
func (s *Stage) getCharts(w http.ResponseWriter, r *http.Request) {
	if s.o.Charts == nil {
		http.Error(w, "there is no cluster: `fluxdemo up` brings one up", http.StatusNotFound)
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

// answerModel is what whoever has moved the talk gets.
type answerModel struct {
	Place Place  `json:"place"`
	Step  *Step  `json:"step,omitempty"` // set when a step runs, or was waited for
	Error string `json:"error,omitempty"`
}

func (s *Stage) answer(j *Job) answerModel {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := answerModel{Place: s.place}
	if j != nil {
		m.Step = s.working
	}
	return m
}

// moveModel asks for another place: by a move, or by the name of a slide.
type moveModel struct {
	Move     string `json:"move"`               // next or back
	Slide    string `json:"slide"`              // ID, title or number from 1
	Fragment *int   `json:"fragment,omitempty"` // with Slide: the last wait that is over, counted from 0; none: -1
	Wait     bool   `json:"wait"`               // answer when a step that this starts has ended
}

func (s *Stage) postPosition(w http.ResponseWriter, r *http.Request) {
	var m moveModel
	if !read(w, r, &m) {
		return
	}
	s.respond(w, r, m.Wait, func() (*Job, error) {
		switch {
		case m.Slide != "" && m.Move == "":
			fragment := -1
			if m.Fragment != nil {
				fragment = *m.Fragment
			}
			return nil, s.GoTo(m.Slide, fragment)
		case m.Move == "next":
			return s.Next()
		case m.Move == "back":
			return s.Back()
		}
		return nil, fmt.Errorf("%w: say a move, next or back, or a slide", errInput)
	})
}

func (s *Stage) postStep(w http.ResponseWriter, r *http.Request) {
	var m struct {
		Do   string `json:"do"` // again, skip or stop
		Wait bool   `json:"wait"`
	}
	if !read(w, r, &m) {
		return
	}
	s.respond(w, r, m.Wait, func() (*Job, error) {
		switch m.Do {
		case "again":
			return s.Again()
		case "skip":
			return s.Skip()
		case "stop":
			s.Stop()
			return nil, nil
		}
		return nil, fmt.Errorf("%w: say what to do: again, skip or stop", errInput)
	})
}

// respond does something and says where the talk is then.
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

// read takes in a request's JSON, or answers what is wrong with it.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	done := serve.ReadWithin(w, bodyTime)
	defer done()
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, requestBytes))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		http.Error(w, "not what this address takes: "+err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}
