// Package git is the demo's Git host: bare repositories over smart HTTP, with public reads and a password for pushes. It
// sends a webhook, signed like GitHub's, for each push to the first repository, and retries until the receiver has
// accepted it. What a browser gets is in package browse.
package git

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-git/go-git/v6/plumbing/transport"

	"github.com/fluxdemo/fluxdemo/demo/services/event"
	"github.com/fluxdemo/fluxdemo/demo/services/forge"
	"github.com/fluxdemo/fluxdemo/demo/services/git/browse"
	"github.com/fluxdemo/fluxdemo/demo/services/gitapi"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

const (
	maxPush     = 512 << 20 // bytes of one push
	maxFetch    = 16 << 20  // bytes of one fetch request, after decompression
	bodyTimeout = 5 * time.Minute
	remembered  = 50 // pushes and deliveries that are kept for the pages
)

// Config says what a Server serves.
type Config struct {
	// Root is the folder of the bare repositories; it is created if missing. Needed.
	Root string
	// Repositories are created, empty and with HEAD on main, if missing; none means "fleet".
	// Other folders named *.git under Root, such as those that a push has created, are served as well.
	Repositories []string
	// Username and Password are what a push must bring; with an Upstream also who reads it. Needed.
	Username, Password string
	// URL is where the cluster finds this server, for the clone_url in webhooks;
	// empty means http://git.fluxdemo.svc.cluster.local.
	URL string
	// Upstream is the repository that the first one here is a front of; nil means that it stands for itself.
	Upstream *forge.Repository
	// WebhookURL receives each push to the first repository; empty means that nothing is sent. The others have no
	// webhook, like a new repository on a forge: the Receiver behind this one URL stands for the objects that follow
	// the first, and would have Flux fetch these for nothing. HTTP_PROXY and its like are honoured.
	WebhookURL string
	// WebhookToken is the key of the signature in X-Hub-Signature-256; needed with WebhookURL.
	WebhookToken string
	// RetryFor is how long one webhook is tried; zero means two minutes.
	RetryFor time.Duration
	// Hosts are the names at which clients find this server, besides those of its Service.
	Hosts []string
	// Logger gets one line for each push and delivery; nil means none.
	Logger *slog.Logger
}

// Server is the Git host as an http.Handler.
type Server struct {
	cfg   Config
	feed  *serve.Feed[event.Git]
	hooks *notifier
	http  http.Handler
	log   *slog.Logger

	mu    sync.RWMutex // for what follows
	repos map[string]*repo
	names []string // of repos, the configured ones first
}

// New opens the repositories, creates those that are missing, and takes up the webhooks that an earlier run did not
// deliver. Call Close to end it. It fails if the configuration is incomplete or Root cannot be used.
func New(cfg Config) (*Server, error) {
	switch {
	case cfg.Root == "":
		return nil, errors.New("no folder for the repositories: set --root")
	case cfg.Username == "" || cfg.Password == "":
		return nil, errors.New("no credentials for pushes: set GIT_USERNAME and GIT_PASSWORD")
	case cfg.WebhookURL != "" && cfg.WebhookToken == "":
		return nil, errors.New("no key to sign webhooks with: set WEBHOOK_TOKEN")
	}
	if cfg.Upstream != nil {
		if err := forge.CheckURL(cfg.Upstream.URL); err != nil {
			return nil, fmt.Errorf("the upstream: %w; set GIT_UPSTREAM_URL", err)
		}
	}
	if len(cfg.Repositories) == 0 {
		cfg.Repositories = []string{"fleet"}
	}
	if cfg.URL == "" {
		cfg.URL = "http://git.fluxdemo.svc.cluster.local"
	}
	if cfg.RetryFor == 0 {
		cfg.RetryFor = 2 * time.Minute
	}
	s := &Server{cfg: cfg, repos: map[string]*repo{}, feed: serve.NewFeed[event.Git](remembered), log: serve.Logger(cfg.Logger)}
	if err := s.openRepos(); err != nil {
		return nil, err
	}
	if err := s.repos[s.names[0]].follow(cfg.Upstream); err != nil {
		return nil, err
	}
	s.hooks = newNotifier(cfg, s.names[0], s.feed, s.log)
	if err := s.hooks.resume(s.repos[s.names[0]]); err != nil {
		s.hooks.close()
		return nil, err
	}
	pages, err := browse.New(pageHost{s}, s.log)
	if err != nil {
		s.hooks.close()
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", s.readers(pages))
	mux.HandleFunc("GET /healthz", serve.Healthy)
	mux.Handle("GET /deliveries", s.readers(http.HandlerFunc(s.deliveries)))
	mux.HandleFunc("GET /events", s.feed.Stream(encodeEvent)) // hashes and names of references, no content
	mux.Handle("GET "+gitapi.Path, s.readers(http.HandlerFunc(s.list)))
	mux.HandleFunc("POST "+gitapi.Path, s.create)
	mux.HandleFunc("POST "+gitapi.Path+"/{repo}/reset", s.reset)
	mux.HandleFunc("GET /{repo}/info/refs", s.infoRefs)
	mux.HandleFunc("POST /{repo}/git-upload-pack", s.upload)
	mux.HandleFunc("POST /{repo}/git-receive-pack", s.receive)
	// A browser that has the password may send it along from a page of others; clients that are no browsers pass.
	s.http = serve.Guard(mux, append(serve.InCluster("git", "fluxdemo"), cfg.Hosts...)...)
	return s, nil
}

// Close ends the deliveries in progress; the next New takes them up again.
func (s *Server) Close() { s.hooks.close() }

// ServeHTTP answers Git clients, browsers and probes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.http.ServeHTTP(w, r) }

// readers lets everyone through to pages, and only those with the password if there is an upstream: it may be private,
// and is read here with the password of the demo's user.
func (s *Server) readers(pages http.Handler) http.Handler {
	if s.cfg.Upstream == nil {
		return pages
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.allowed(w, r) {
			w.Header().Add("Vary", "Authorization")
			pages.ServeHTTP(w, r)
		}
	})
}

// mayRead checks the credentials of who fetches from a repository. The others have no upstream, and Flux reads them
// without a password.
func (s *Server) mayRead(w http.ResponseWriter, r *http.Request, rp *repo) bool {
	return rp.upstream == nil || s.allowed(w, r)
}

// allowed checks the credentials of a request that needs them, or asks for them.
func (s *Server) allowed(w http.ResponseWriter, r *http.Request) bool {
	user, password, _ := r.BasicAuth()
	// Hashes have one length, so that the comparison does not reveal the password's.
	want := sha256.Sum256([]byte(s.cfg.Username + "\x00" + s.cfg.Password))
	got := sha256.Sum256([]byte(user + "\x00" + password))
	if subtle.ConstantTimeCompare(want[:], got[:]) == 1 {
		return true
	}
	if r.Header.Get("Authorization") != "" {
		s.log.Warn("refused: wrong credentials", "path", r.URL.Path)
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="fluxdemo", charset="UTF-8"`)
	http.Error(w, "this requires the demo's user name and password: run fluxdemo env", http.StatusUnauthorized)
	return false
}

// infoRefs is the first request of every Git client.
func (s *Server) infoRefs(w http.ResponseWriter, r *http.Request) {
	service := r.URL.Query().Get("service")
	name := repoName(r)
	rp := s.repo(name)
	switch {
	case rp == nil && service != transport.ReceivePackService:
		notFound(w)
		return
	case service != transport.UploadPackService && service != transport.ReceivePackService:
		http.Error(w, "this host supports only the smart HTTP protocol", http.StatusForbidden)
		return
	case service == transport.ReceivePackService && !s.allowed(w, r):
		return
	case service == transport.UploadPackService && !s.mayRead(w, r, rp):
		return
	case rp == nil:
		s.advertiseNew(w, r, name)
		return
	}
	s.catchUp(r.Context(), rp)
	gitHeaders(w, service, "advertisement")
	st := rp.open()
	defer closeStorage(st)
	if err := transport.AdvertiseRefs(r.Context(), st, w, service, true); err != nil {
		s.failed(r.Context(), "advertise references", rp.name, err)
	}
}

// catchUp fetches from the upstream, if there is one. If it does not answer, what is here is served, and a push is refused with the reason.
func (s *Server) catchUp(ctx context.Context, rp *repo) {
	if rp.upstream == nil {
		return
	}
	changes, err := rp.fetch(ctx)
	for _, u := range changes {
		s.log.Info("fetched", "repository", rp.name, "ref", u.Ref, "before", u.Before.String(), "after", u.After.String())
		s.pushed(rp, u, "")
	}
	if err != nil {
		s.failed(ctx, "fetch from the upstream", rp.name, err)
	}
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	rp := s.repo(repoName(r))
	if rp == nil {
		notFound(w)
		return
	}
	if !s.mayRead(w, r, rp) {
		return
	}
	body, ok := requestBody(w, r, transport.UploadPackService, maxFetch)
	if !ok {
		return
	}
	gitHeaders(w, transport.UploadPackService, "result")
	st := rp.open()
	defer closeStorage(st)
	if err := uploadPack(st, body, w); err != nil {
		s.failed(r.Context(), "fetch", rp.name, err)
	}
}

func (s *Server) receive(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	defer serve.ReadWithin(w, bodyTimeout)()
	body, ok := requestBody(w, r, transport.ReceivePackService, maxPush)
	if !ok {
		return
	}
	rp, err := s.findOrCreate(repoName(r))
	if err != nil {
		answer(w, err)
		return
	}
	gitHeaders(w, transport.ReceivePackService, "result")
	start := time.Now()
	user, _, _ := r.BasicAuth()
	// The webhook leaves while the client still waits for its report.
	err = receivePack(r.Context(), rp, body, w, func(u refUpdate) {
		s.pushed(rp, u, user)
		s.log.Info("push", "repository", rp.name, "user", user, "ref", u.Ref, "before", u.Before.String(), "after", u.After.String(),
			"duration", time.Since(start).String())
	})
	if err != nil {
		s.failed(r.Context(), "push", rp.name, err)
	}
}

// pushed does what follows on a push, or on a change of the upstream, which has no user.
func (s *Server) pushed(rp *repo, u refUpdate, user string) {
	s.hooks.push(rp, u)
	if err := rp.pushes.add(record{Time: time.Now().UTC(), User: user, Ref: u.Ref.String(), Before: u.Before.String(), After: u.After.String()}); err != nil {
		s.log.Warn("a restart will not know who has pushed this", "repository", rp.name, "error", err.Error())
	}
}

// failed logs what went wrong while a client was served; one that has hung up is no news.
func (s *Server) failed(ctx context.Context, what, repository string, err error) {
	if ctx.Err() == nil {
		s.log.Warn(what+" failed", "repository", repository, "error", err.Error())
	}
}

// requestBody returns the request of a Git client, unpacked, or answers with an error.
func requestBody(w http.ResponseWriter, r *http.Request, service string, limit int64) (io.Reader, bool) {
	if r.Header.Get("Content-Type") != "application/x-"+service+"-request" {
		http.Error(w, "this address is for git", http.StatusUnsupportedMediaType)
		return nil, false
	}
	var body io.Reader = http.MaxBytesReader(w, r.Body, limit)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, "the request is not gzip, as it says", http.StatusBadRequest)
			return nil, false
		}
		body = io.LimitReader(z, limit)
	}
	return body, true
}

func gitHeaders(w http.ResponseWriter, service, kind string) {
	h := w.Header()
	h.Set("Content-Type", "application/x-"+service+"-"+kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
}
