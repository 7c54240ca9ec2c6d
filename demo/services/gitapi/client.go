package gitapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	timeout   = 15 * time.Second // of one request
	maxAnswer = 1 << 20          // bytes
)

// Client asks a Git host. Reading needs credentials only if a forge is behind it.
type Client struct {
	// Address is the Git host's, or that of one of its repositories, for example http://127.0.0.1:30080/fleet.git.
	Address        string
	User, Password string
}

// List returns the repositories, the demo's own first.
func (c *Client) List(ctx context.Context) ([]Repository, error) {
	var list List
	if err := c.do(ctx, http.MethodGet, Path, nil, &list); err != nil {
		return nil, fmt.Errorf("listing the repositories: %w", err)
	}
	return list.Repositories, nil
}

// Create creates an empty repository and returns it.
func (c *Client) Create(ctx context.Context, name string) (Repository, error) {
	var made Repository
	if err := c.do(ctx, http.MethodPost, Path, map[string]string{"name": name}, &made); err != nil {
		return made, fmt.Errorf("creating the repository %s: %w", name, err)
	}
	return made, nil
}

// Reset tells the Git host of a reset of a repository. It moves nothing. The error is ErrUnknown if the Git host does
// not know the repository, or is of an earlier version.
func (c *Client) Reset(ctx context.Context, name string, reset Reset) error {
	if err := c.do(ctx, http.MethodPost, Path+"/"+url.PathEscape(name)+"/reset", reset, nil); err != nil {
		return fmt.Errorf("reporting the reset of %s: %w", name, err)
	}
	return nil
}

// do sends in, if it is not nil, as JSON, and reads the answer into out.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	base, err := url.Parse(c.Address)
	if err != nil || base.Host == "" {
		return fmt.Errorf("%q is not the address of a Git host", c.Address)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	// The path is escaped, where it has to be.
	req, err := http.NewRequestWithContext(ctx, method, base.Scheme+"://"+base.Host+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.User != "" {
		req.SetBasicAuth(c.User, c.Password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w; `fluxdemo status` shows what is wrong", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("reading the answer: %w", err)
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed:
		return fmt.Errorf("%s: %w; `fluxdemo up` updates the Git host", base.Host, ErrUnknown)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return &RefusedError{Status: resp.StatusCode, Reason: strings.TrimSpace(string(raw))}
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// RefusedError is what the Git host says when it does not do what it was asked for.
type RefusedError struct {
	Status int    // of HTTP
	Reason string // in words
}

func (e *RefusedError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("the Git host answered %d %s", e.Status, http.StatusText(e.Status))
	}
	return e.Reason
}
