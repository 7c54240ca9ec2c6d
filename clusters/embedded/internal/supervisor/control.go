package supervisor

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/controlplane"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// controlFile holds the address and the token of the supervisor's API.
const controlFile = "control.json"

// aliveEvery is how often a supervisor that starts says that it is alive.
const aliveEvery = time.Second

// address is the content of controlFile. A loopback port with a token, and
// not a unix socket, because a client's path to that could be too long.
type address struct {
	Addr  string `json:"addr"`
	Token string `json:"token"`
}

// Status is what the supervisor knows of its cluster.
type Status struct {
	PID        int               `json:"pid"`
	Started    time.Time         `json:"started"`
	Memory     int64             `json:"memory"` // bytes
	Version    string            `json:"version"`
	Bundle     string            `json:"bundle"`
	Settings   Settings          `json:"settings"`
	Fence      string            `json:"fence"`   // how pods are confined
	NoFence    bool              `json:"noFence"` // because the user said so
	Ready      bool              `json:"ready"`   // the start is over; Components and Pods are known from then on
	Components []Component       `json:"components"`
	Pods       []node.PodProcess `json:"pods"`
}

// Component is the state of one process of the control plane, or of a part of
// the supervisor that has failed.
type Component struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`           // Waiting, Running, NotAnswering, Restarting or Failed
	Silent   time.Time `json:"silent,omitzero"` // when it answered last, if it does not answer
	PID      int       `json:"pid,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Memory   int64     `json:"memory,omitempty"` // bytes
	Restarts int       `json:"restarts"`
	LastExit string    `json:"lastExit,omitempty"`
	Log      string    `json:"log"`
}

// control is the server of the supervisor's API.
type control struct {
	s      *Supervisor
	server *http.Server
	file   string
	down   chan struct{} // closed by the first order to go down
	once   sync.Once
	gone   chan struct{} // closed when everything is down
	known  chan struct{} // closed when a client has the result of the start
	tell   sync.Once
}

// listen starts the server.
func (s *Supervisor) listen() (*control, error) {
	listener, err := s.options.claim(otherSettings(s.options.Dir))
	if err != nil {
		return nil, fmt.Errorf("listening for requests: %w", err)
	}
	c := &control{
		s:     s,
		file:  filepath.Join(s.options.Dir, controlplane.RunDir, controlFile),
		down:  make(chan struct{}),
		gone:  make(chan struct{}),
		known: make(chan struct{}),
	}
	at := address{Addr: listener.Addr().String(), Token: rand.Text()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", c.status)
	mux.HandleFunc("GET /health", c.health)
	mux.HandleFunc("POST /heal", c.heal)
	mux.HandleFunc("GET /progress", c.progress)
	mux.HandleFunc("POST /down", c.shutdown)
	c.server = &http.Server{Handler: authorized(at.Token, mux), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := c.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.options.Logf("serving requests: %v", err)
		}
	}()
	raw, err := json.Marshal(at)
	if err == nil {
		err = statefile.Write(c.file, raw, 0o600)
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("saving the supervisor's address: %w", err)
	}
	return c, nil
}

func authorized(token string, next http.Handler) http.Handler {
	want := []byte("Bearer " + token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			http.Error(w, "the token is wrong", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// status answers at once with what is known.
func (c *control) status(w http.ResponseWriter, _ *http.Request) { c.answer(w, nil) }

// health asks each part of the cluster first.
func (c *control) health(w http.ResponseWriter, r *http.Request) {
	silent := map[node.Name]time.Time{}
	if _, ended, _ := c.s.progress.from(0); ended && c.s.node != nil {
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			silent = c.s.node.Silent(r.Context(), answerTime)
		}()
		c.s.look(r.Context())
		<-asked
	}
	c.answer(w, silent)
}

// heal restarts what does not answer, and says what that was.
func (c *control) heal(w http.ResponseWriter, r *http.Request) {
	names := []string{}
	if _, ended, _ := c.s.progress.from(0); ended && c.s.node != nil {
		names = c.s.heal(r.Context())
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(names) // fails only if the client has gone
}

func (c *control) answer(w http.ResponseWriter, silent map[node.Name]time.Time) {
	s := c.s
	status := Status{
		PID: os.Getpid(), Started: s.started, Memory: process.RSS(os.Getpid()),
		Version: s.options.Version, Bundle: s.options.Bundle.Dir, Settings: s.options.Settings, Fence: s.fence(), NoFence: s.options.NoFence,
	}
	// Until the start is over, start may still be adding to these.
	if _, ended, _ := s.progress.from(0); ended {
		status.Ready = true
		status.Components = s.components()
		if s.node != nil {
			status.Pods = s.node.Pods()
			for i := range status.Pods {
				if since, is := silent[status.Pods[i].Name()]; is {
					status.Pods[i].Silent, status.Pods[i].Answered = true, since
				}
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(status) // fails only if the client has gone
}

// progress streams the news of the start, a JSON object a line, to its end.
func (c *control) progress(w http.ResponseWriter, r *http.Request) {
	out := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for n := 0; ; {
		steps, ended, more := c.s.progress.from(n)
		for _, step := range steps {
			if err := out.Encode(step); err != nil {
				return
			}
		}
		n += len(steps)
		_ = flush.Flush()
		if ended {
			c.tell.Do(func() { close(c.known) })
			return
		}
		select {
		case <-more:
		case <-alive.C: // a blank line: nothing is new, and the supervisor is well
			if _, err := io.WriteString(w, "\n"); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// shutdown answers when everything is down.
func (c *control) shutdown(w http.ResponseWriter, r *http.Request) {
	c.once.Do(func() { close(c.down) })
	select {
	case <-c.gone:
		w.WriteHeader(http.StatusNoContent)
	case <-r.Context().Done():
	}
}

// awaitTold gives the command that started this process the time to learn
// why the start failed.
func (c *control) awaitTold() {
	timer := time.NewTimer(5 * time.Second)
	defer timer.Stop()
	select {
	case <-c.known:
	case <-timer.C:
	}
}

// downDone lets the requests to stop be answered.
func (c *control) downDone() { close(c.gone) }

// drain answers what was asked, for a second at most.
func (c *control) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.server.Shutdown(ctx) // clients that are still connected lose the connection
}

func (c *control) close() {
	_ = os.Remove(c.file)
	c.server.Close()
}
