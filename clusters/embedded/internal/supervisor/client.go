package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// reachTime is how long a supervisor takes to say where it takes orders, or
// to end, at most.
const reachTime = 2 * time.Second

// Client talks to the supervisor of one cluster.
type Client struct{ at address }

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
	c := &Client{}
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

// Status asks for the cluster's status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var status Status
	response, err := c.do(ctx, http.MethodGet, "/status")
	if err != nil {
		return status, err
	}
	defer response.Body.Close()
	return status, json.NewDecoder(response.Body).Decode(&status)
}

// Progress calls report with each step of the start, from its beginning,
// until the start is over. A start that failed is a *StartError.
func (c *Client) Progress(ctx context.Context, report func(Step)) error {
	response, err := c.do(ctx, http.MethodGet, "/progress")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	for in := json.NewDecoder(response.Body); ; {
		var step Step
		if err := in.Decode(&step); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
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

// StartError is a start that failed, with the log of the component at fault,
// if it was one.
type StartError struct {
	Message string
	Log     string
}

func (e *StartError) Error() string { return e.Message }

// Down ends the cluster and returns when all its processes have ended.
func (c *Client) Down(ctx context.Context) error {
	response, err := c.do(ctx, http.MethodPost, "/down")
	if err != nil {
		return err
	}
	return response.Body.Close()
}
