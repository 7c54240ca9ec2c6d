// Package browse shows the repositories of the demo's Git host as web pages: files, branches, tags, commits with their
// changes, pushes, and the deliveries of webhooks. The pages need no scripts and change nothing, except that a button
// sends a webhook again.
package browse

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/storer"

	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

//go:embed pages
var files embed.FS

// timeLimit is for making one page.
const timeLimit = 10 * time.Second

// Storage has the objects and references of one repository.
type Storage interface {
	storer.EncodedObjectStorer
	storer.ReferenceStorer
	io.Closer
}

// Host is the Git host whose repositories are shown.
type Host interface {
	// Repositories returns the names of the repositories, in the order in which they are listed.
	Repositories() []string
	// Open returns a repository; ok is false if there is none of that name. The caller closes it.
	Open(name string) (st Storage, ok bool)
	// Pushes returns the last pushes to a repository, newest first.
	Pushes(name string) []Push
	// Deliveries returns the last webhooks of a repository, newest first; sends is false if it has no webhook.
	Deliveries(name string) (list []Delivery, sends bool)
	// Redeliver sends a webhook again, and returns the ID of the new delivery. It fails if nothing was sent.
	Redeliver(ctx context.Context, name, id string) (again string, err error)
	// LastEvent is the ID of the newest event at /events. A page with a newer one loads itself again.
	LastEvent() int64
}

// Push is one reference that a push has changed.
type Push struct {
	Time          time.Time
	User          string // who has authenticated; empty if it came from an upstream
	Ref           string // for example refs/heads/main
	Before, After plumbing.Hash
}

// Delivery is a webhook, with the request and the answer of the last attempt. It holds no secrets.
type Delivery struct {
	ID         string
	Time       time.Time
	Ref        string
	Commit     plumbing.Hash
	Redelivery bool
	State      string // as in package event, for example delivered
	Attempts   int
	Duration   time.Duration // of all attempts
	Error      string        // why the last attempt failed
	URL        string        // without what is secret
	Request    http.Header
	Body       string
	Status     int // of HTTP; 0 if there was no answer
	Response   http.Header
	Answer     string // the beginning
}

// Pages is the web pages of a Git host as an http.Handler.
type Pages struct {
	host      Host
	log       *slog.Logger
	templates map[string]*template.Template
	mux       *http.ServeMux
}

// New returns the pages of a host. log gets what goes wrong while a page is made; nil means nowhere.
func New(host Host, log *slog.Logger) (*Pages, error) {
	p := &Pages{host: host, log: serve.Logger(log), templates: map[string]*template.Template{}, mux: http.NewServeMux()}
	layout, err := template.New("layout.html").Funcs(template.FuncMap{
		"href": href, "visible": visible, "short": short, "when": when, "refName": refName,
		"dict": dict, "inc": func(i int) int { return i + 1 },
	}).ParseFS(files, "pages/layout.html")
	if err != nil {
		return nil, fmt.Errorf("reading the pages: %w", err)
	}
	names, err := fs.Glob(files, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the pages: %w", err)
	}
	for _, name := range names {
		t, err := layout.Clone()
		if err == nil {
			t, err = t.ParseFS(files, name)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the pages: %w", err)
		}
		p.templates[strings.TrimSuffix(strings.TrimPrefix(name, "pages/"), ".html")] = t
	}
	static, err := fs.Sub(files, "pages/static")
	if err != nil {
		return nil, fmt.Errorf("reading the pages: %w", err)
	}
	// "-" is no name for a repository.
	assets := http.StripPrefix("/-/", p.headers(http.FileServerFS(static)))
	p.mux.Handle("GET /-/style.css", assets)
	p.mux.Handle("GET /-/reload.js", assets)
	p.mux.HandleFunc("GET /{$}", p.page(p.list))
	p.mux.HandleFunc("GET /{repo}", p.repository(p.tree))
	p.mux.HandleFunc("GET /{repo}/{$}", p.repository(p.tree))
	p.mux.HandleFunc("GET /{repo}/tree", p.repository(p.tree))
	p.mux.HandleFunc("GET /{repo}/file", p.repository(p.file))
	p.mux.HandleFunc("GET /{repo}/raw", p.raw)
	p.mux.HandleFunc("GET /{repo}/commits", p.repository(p.commits))
	p.mux.HandleFunc("GET /{repo}/commit", p.repository(p.commit))
	p.mux.HandleFunc("GET /{repo}/refs", p.repository(p.refs))
	p.mux.HandleFunc("GET /{repo}/pushes", p.repository(p.pushes))
	p.mux.HandleFunc("GET /{repo}/webhooks", p.repository(p.deliveries))
	p.mux.HandleFunc("GET /{repo}/webhooks/{id}", p.repository(p.delivery))
	p.mux.HandleFunc("POST /{repo}/webhooks/{id}/redeliver", p.redeliver)
	p.mux.HandleFunc("/", p.page(func(*http.Request, *view) error { return notFound("there is no such page") }))
	return p, nil
}

// dict makes a map of names and values, so that a template can give several to another.
func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

// ServeHTTP answers browsers.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// view is what the templates get.
type view struct {
	Title    string
	Host     string // the address that the reader used
	Repo     string // empty on the page of all repositories
	Branch   string // the default branch
	Webhooks bool
	Tab      string
	// Last is the newest event that a page which follows pushes knows; -1 for other pages.
	Last int64
	Body any

	template string
	st       Storage
}

// notFound is an error that says why there is no page.
type notFound string

func (e notFound) Error() string { return string(e) }

// page answers with what fill makes of a view.
func (p *Pages) page(fill func(r *http.Request, v *view) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeLimit)
		defer cancel()
		r = r.WithContext(ctx)
		v := &view{Title: "Git host", Host: r.Host, Last: -1}
		status := http.StatusOK
		if err := fill(r, v); err != nil {
			status = p.failed(r, v, err)
		}
		var out bytes.Buffer
		t := p.templates[v.template]
		if t == nil {
			t = p.templates["error"]
		}
		if err := t.ExecuteTemplate(&out, "layout.html", v); err != nil {
			p.log.Warn("making a page failed", "path", r.URL.Path, "error", err.Error())
			http.Error(w, "this page cannot be shown", http.StatusInternalServerError)
			return
		}
		setHeaders(w.Header())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write(out.Bytes())
	}
}

// failed makes v a page about an error, and returns its status.
func (p *Pages) failed(r *http.Request, v *view, err error) int {
	v.template, v.Body, v.Last = "error", err.Error(), -1
	var missing notFound
	if errors.As(err, &missing) {
		v.Title = "Not found"
		return http.StatusNotFound
	}
	v.Title = "This page cannot be shown"
	p.log.Warn("making a page failed", "path", r.URL.Path, "error", err.Error())
	return http.StatusInternalServerError
}

// repository answers with a page of the repository that the address names.
func (p *Pages) repository(fill func(r *http.Request, v *view) error) http.HandlerFunc {
	return p.page(func(r *http.Request, v *view) error {
		name := strings.TrimSuffix(r.PathValue("repo"), ".git")
		st, ok := p.host.Open(name)
		if !ok {
			return notFound("there is no repository " + name)
		}
		defer st.Close()
		v.Repo, v.Title, v.st = name, name, st
		_, v.Webhooks = p.host.Deliveries(name)
		ref, err := st.Reference(plumbing.HEAD)
		if err != nil {
			return fmt.Errorf("reading HEAD: %w", err)
		}
		v.Branch = ref.Target().Short()
		return fill(r, v)
	})
}

// headers puts the headers of all pages on those of a handler.
func (p *Pages) headers(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		h.ServeHTTP(w, r)
	})
}

// setHeaders allows a page nothing from elsewhere, and nothing written into it. Pages on loopback may frame it, so that
// a slide can show it.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "+
		"base-uri 'none'; form-action 'self'; frame-ancestors 'self' http://127.0.0.1:* http://localhost:*")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// redeliver sends a webhook again. It asks for no password: a redelivery says to the receiver only what it has heard
// before, and whoever reads the pages may press the button on stage. It must come from a page of this host, though: the
// server refuses requests across origins, and names that others have made to point here.
func (p *Pages) redeliver(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	name := strings.TrimSuffix(r.PathValue("repo"), ".git")
	ctx, cancel := context.WithTimeout(r.Context(), timeLimit)
	defer cancel()
	again, err := p.host.Redeliver(ctx, name, r.PathValue("id"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	http.Redirect(w, r, href(name, "webhooks/"+again), http.StatusSeeOther)
}
