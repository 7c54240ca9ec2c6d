package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// Record is a file with the address and the position of a stage, for commands in a shell and for a later stage. With
// the same address and token, browsers reconnect to the later stage.
type Record struct {
	URL   string `json:"url"` // http://127.0.0.1:<port>
	Token string `json:"token"`
	Deck  string `json:"deck"`  // the file's absolute path
	Ended bool   `json:"ended"` // it stopped normally, and was not killed
	Kept
}

// ErrNoStage says that no stage is running.
var ErrNoStage = errors.New("no presentation is running; `fluxdemo present DECK` starts one")

// DamagedError says that the record of a stage cannot be read.
type DamagedError struct {
	File string
	Err  error
}

// Error implements error.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s, the record of the presentation, is damaged: %v; `fluxdemo present DECK` rewrites it", e.File, e.Err)
}

// Unwrap returns what is wrong.
func (e *DamagedError) Unwrap() error { return e.Err }

// answerTime is how long a stage may take to answer.
const answerTime = 2 * time.Second

// ReadRecord reads the record of a stage. It fails with ErrNoStage if there is none, and with a *DamagedError if it
// cannot be read.
func ReadRecord(file string) (*Record, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoStage
	}
	if err != nil {
		return nil, fmt.Errorf("reading the record of the presentation: %w", err)
	}
	r := &Record{}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, &DamagedError{file, err}
	}
	// Earlier versions called the position a place, and its presses beats.
	var earlier struct {
		Place *struct {
			Position
			Beat int `json:"beat"`
		} `json:"place"`
	}
	if err := json.Unmarshal(raw, &earlier); err != nil {
		return nil, &DamagedError{file, err}
	}
	if place := earlier.Place; place != nil {
		r.Position = place.Position
		r.Position.Press = place.Beat
	}
	if r.URL == "" || r.Token == "" || r.Deck == "" {
		return nil, &DamagedError{file, errors.New("it is incomplete")}
	}
	return r, nil
}

// Write replaces the record in a file that only its owner can read. If the process is killed meanwhile, the file has
// either the old record or the new one.
func (r *Record) Write(file string) error {
	raw, err := json.Marshal(r)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err == nil {
		err = statefile.Write(file, raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("saving the record of the presentation: %w", err)
	}
	return nil
}

// Alive reports whether the stage answers.
func (r *Record) Alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, err := r.do(ctx, http.MethodGet, "/api/position", nil)
	return err == nil
}

// Answer is the answer of a stage to a command.
type Answer struct {
	Position Position
	// Step is the step that ran or was undone; nil if there was none.
	Step *Step
}

// Next has the stage do what Stage.Next does, and waits for a step that this starts.
func (r *Record) Next(ctx context.Context) (Answer, error) {
	return r.command(ctx, positionRequest{Command: "next", Wait: true})
}

// Back has the stage do what Stage.Back does, and waits for a step that this takes back.
func (r *Record) Back(ctx context.Context) (Answer, error) {
	return r.command(ctx, positionRequest{Command: "back", Wait: true})
}

// GoTo turns the stage to a slide, given by its ID, its title, or its number. last is the last fragment that shows,
// counted from 0; -1 for none.
func (r *Record) GoTo(ctx context.Context, slide string, last int) (Answer, error) {
	return r.command(ctx, positionRequest{Slide: slide, Fragment: &last})
}

func (r *Record) command(ctx context.Context, m positionRequest) (Answer, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return Answer{}, fmt.Errorf("encoding the command: %w", err)
	}
	raw, err := r.do(ctx, http.MethodPost, "/api/position", body)
	if err != nil {
		return Answer{}, err
	}
	var a answerModel
	if err := json.Unmarshal(raw, &a); err != nil {
		return Answer{}, fmt.Errorf("reading the presentation's answer: %w", err)
	}
	if a.Error != "" {
		err = errors.New(a.Error)
	}
	return Answer{a.Position, a.Step}, err
}

// do sends a request and returns the answer. It returns an error with the stage's message if the request fails.
func (r *Record) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("sending a command to the presentation: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	req.Header.Set("Content-Type", "application/json")
	// The stage is on this machine, so the client ignores the shell's proxy.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, ErrNoStage
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the presentation's answer: %w", err)
	}
	text := strings.TrimSpace(string(raw))
	switch resp.StatusCode {
	case http.StatusOK:
		return raw, nil
	case http.StatusConflict:
		return nil, ErrBusy
	case http.StatusBadRequest:
		return nil, &RequestError{strings.TrimPrefix(text, errInput.Error()+": ")}
	}
	return nil, fmt.Errorf("the presentation refuses the command: %s", text)
}

// RequestError is an error in a request to the stage.
type RequestError struct{ msg string }

// Error implements error.
func (e *RequestError) Error() string { return e.msg }
