// Package app is the demo's sample application: one web page with a message on a coloured background. Its environment,
// which comes from Git, sets both, so that a push is visible in a browser.
package app

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

const (
	defaultMessage = "Hello from Git"
	defaultColor   = "steelblue"
)

//go:embed page.html
var pageHTML string

// Config is what the page shows.
type Config struct {
	// Message is the big text; empty means a greeting.
	Message string
	// Color is the background: a CSS colour name, #rgb or #rrggbb. Empty means a default; the page says if it is none.
	Color string
	// Version and Pod are shown small; either may be empty.
	Version, Pod string
	// Hosts are the names at which clients find the app, besides those of its Service.
	Hosts []string
	// Logger receives a warning about an invalid colour; nil drops it.
	Logger *slog.Logger
}

// State is what GET /api answers.
type State struct {
	Message string `json:"message"`
	// Color is what was configured, Background what is painted: "#rrggbb".
	Color      string `json:"color"`
	Background string `json:"background"`
	// Text is the colour of the writing, dark or light, whichever is easier to read on Background.
	Text    string `json:"text"`
	Version string `json:"version"`
	Pod     string `json:"pod"`
	// Problem says that Color is no colour; else empty.
	Problem string `json:"problem,omitempty"`
}

// App is the server as an http.Handler.
type App struct {
	http  http.Handler
	page  *template.Template
	state State
	log   *slog.Logger
}

// New returns the app. A colour that is none is no error: the page falls back and says so.
func New(cfg Config) (*App, error) {
	page, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("parsing the app's page: %w", err)
	}
	a := &App{page: page, log: serve.Logger(cfg.Logger)}
	a.state = State{Message: cfg.Message, Color: cfg.Color, Version: cfg.Version, Pod: cfg.Pod}
	if a.state.Message == "" {
		a.state.Message = defaultMessage
	}
	if a.state.Color == "" {
		a.state.Color = defaultColor
	}
	c, ok := parseColor(a.state.Color)
	if !ok {
		a.state.Problem = fmt.Sprintf("COLOR=%q is not a valid colour: use a CSS name or #rrggbb", a.state.Color)
		a.log.Warn(a.state.Problem)
		c, _ = parseColor(defaultColor)
	}
	a.state.Background, a.state.Text = c.String(), c.ink().String()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.show)
	mux.HandleFunc("GET /api", func(w http.ResponseWriter, _ *http.Request) { serve.JSON(w, a.state) })
	mux.HandleFunc("GET /events", a.events)
	mux.HandleFunc("GET /healthz", serve.Healthy)
	a.http = serve.Guard(mux, append(serve.InCluster("app", "app"), cfg.Hosts...)...)
	return a, nil
}

// ServeHTTP answers browsers and probes.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.http.ServeHTTP(w, r) }

func (a *App) show(w http.ResponseWriter, r *http.Request) {
	v := struct {
		State
		Nonce string
	}{a.state, serve.Page(w)}
	if err := a.page.Execute(w, v); err != nil && r.Context().Err() == nil {
		a.log.Warn("write the page", "error", err.Error())
	}
}

// events sends the state once and then stays open. A pod never changes its state: the browser gets the new one when this
// pod ends and it reconnects to the next pod.
func (a *App) events(w http.ResponseWriter, r *http.Request) {
	if s, ok := serve.NewStream(w); ok && s.Send("", "state", a.state) == nil {
		s.Wait(r.Context(), nil)
	}
}
