package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/controlplane"
)

// ErrNotRunning is returned by Dial when there is no supervisor.
var ErrNotRunning = errors.New("the cluster is not running")

// ErrUnreachable is returned by Dial when there is a supervisor that takes no
// orders: the file that says where is damaged or gone.
var ErrUnreachable = errors.New("the cluster's supervisor runs, but does not answer")

// ErrHung is returned by Dial when there is a supervisor that does not answer.
// It is an ErrUnreachable.
var ErrHung = fmt.Errorf("%w in time", ErrUnreachable)

const (
	// requestTime is how long the supervisor may take for a short answer.
	requestTime = 2 * time.Second
	// healthTime is how long it may take to ask everything else.
	healthTime = answerTime + requestTime
	// quietTime is how long one that starts may say nothing at all.
	quietTime = 10 * time.Second
	// downTime is how long it may take to end all processes.
	downTime = 20 * time.Second
)

// reachTime is how long a supervisor takes to say where it takes orders, or
// to end, at most.
const reachTime = 2 * time.Second

// Client talks to the supervisor of one cluster.
type Client struct {
	at    address
	quiet time.Duration // how long a supervisor that starts may say nothing
}

// Dial finds the supervisor of the cluster in dir and asks it for its status,
// to see that it is there.
func Dial(ctx context.Context, dir string) (*Client, Status, error) {
	return dialWithin(ctx, dir, reachTime)
}

// dialWithin is Dial with the time that a supervisor gets.
func dialWithin(ctx context.Context, dir string, limit time.Duration) (*Client, Status, error) {
	patience := time.NewTimer(limit)
	defer patience.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, status, err := dial(ctx, dir)
		if err == nil {
			return c, status, nil
		}
		runs, unknown := Process(dir).Runs()
		switch {
		case unknown != nil:
			return nil, Status{}, fmt.Errorf("looking for the cluster's supervisor: %w", unknown)
		case !runs:
			return nil, Status{}, fmt.Errorf("%w (%w)", ErrNotRunning, err)
		}
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			return nil, Status{}, fmt.Errorf("%w (%w)", ErrHung, err) // it had its time
		}
		// It may be about to say where it is, or to end.
		select {
		case <-ctx.Done():
			return nil, Status{}, ctx.Err()
		case <-patience.C:
			return nil, Status{}, fmt.Errorf("%w (%w)", ErrUnreachable, err)
		case <-tick.C:
		}
	}
}

// dial tries once.
func dial(ctx context.Context, dir string) (*Client, Status, error) {
	path := filepath.Join(dir, controlplane.RunDir, controlFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, Status{}, err
	}
	c := &Client{quiet: quietTime}
	if err := json.Unmarshal(raw, &c.at); err != nil {
		return nil, Status{}, fmt.Errorf("%s is damaged: %w", path, err)
	}
	status, err := c.Status(ctx)
	if err != nil {
		return nil, Status{}, err
	}
	return c, status, nil
}

func (c *Client) do(ctx context.Context, method, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.at.Addr+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.at.Token)
	// Straight: a proxy in the user's environment has no business here.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		response.Body.Close()
		return nil, fmt.Errorf("the supervisor answered %s", response.Status)
	}
	return response, nil
}

// Status asks for the cluster's status, as the supervisor knows it.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "/status", requestTime)
}

// Health asks for the status too, after the supervisor has asked each part of
// the cluster whether it answers.
func (c *Client) Health(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "/health", healthTime)
}

// Heal restarts the parts that do not answer, and names them.
func (c *Client) Heal(ctx context.Context) ([]string, error) {
	return ask[[]string](ctx, c, http.MethodPost, "/heal", 2*healthTime)
}

// ask makes a request that is answered with JSON within limit.
func ask[T any](ctx context.Context, c *Client, method, path string, limit time.Duration) (T, error) {
	var answer T
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	response, err := c.do(ctx, method, path)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	return answer, json.NewDecoder(response.Body).Decode(&answer)
}

// Progress calls report with each step of the start, from its beginning,
// until the start is over. A start that failed is a *StartError.
func (c *Client) Progress(ctx context.Context, report func(Step)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(c.quiet, func() { cancel(ErrHung) })
	defer quiet.Stop()
	response, err := c.do(ctx, http.MethodGet, "/progress")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	for in := json.NewDecoder(signs{response.Body, func() { quiet.Reset(c.quiet) }}); ; {
		var step Step
		if err := in.Decode(&step); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("the supervisor died")
			}
			return fmt.Errorf("following the start: %w", err)
		}
		switch {
		case step.Name != "":
			report(step)
		case step.State == StepFailed:
			return &StartError{Message: step.Message, Log: step.Log}
		default:
			return nil
		}
	}
}

// signs is a reader that calls alive whenever something arrives.
type signs struct {
	io.Reader
	alive func()
}

func (s signs) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.alive()
	return n, err
}

// StartError is a start that failed, with the log of the component at fault,
// if it was one.
type StartError struct {
	Message string
	Log     string
}

func (e *StartError) Error() string { return e.Message }

// Down ends the cluster and returns when all its processes have ended.
func (c *Client) Down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, downTime)
	defer cancel()
	response, err := c.do(ctx, http.MethodPost, "/down")
	if err != nil {
		return err
	}
	return response.Body.Close()
}
