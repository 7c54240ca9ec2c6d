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

// Record is what a stage leaves in a file: for those who drive it from a shell, and for the stage that follows it.
// Browsers find that one again when it has the same address and token.
type Record struct {
	URL   string `json:"url"` // http://127.0.0.1:<port>
	Token string `json:"token"`
	Deck  string `json:"deck"`  // the file's absolute path
	Ended bool   `json:"ended"` // it came to its end, and was not killed
	Kept
}

// ErrNoStage says that no deck is on stage.
var ErrNoStage = errors.New("no deck is on stage; `fluxdemo present DECK` shows one")

// DamagedError says that what a stage has left cannot be read.
type DamagedError struct {
	File string
	Err  error
}

// Error implements error.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s, which says where the stage is, is damaged: %v; `fluxdemo present DECK` writes it anew", e.File, e.Err)
}

// Unwrap returns what is wrong.
func (e *DamagedError) Unwrap() error { return e.Err }

// answerTime is how long a stage may take to say where it is.
const answerTime = 2 * time.Second

// ReadRecord reads what a stage has left. It fails with ErrNoStage when there is nothing, and with
// a *DamagedError when it cannot be read.
func ReadRecord(file string) (*Record, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoStage
	}
	if err != nil {
		return nil, fmt.Errorf("read where the stage is: %w", err)
	}
	r := &Record{}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, &DamagedError{file, err}
	}
	if r.URL == "" || r.Token == "" || r.Deck == "" {
		return nil, &DamagedError{file, errors.New("it is incomplete")}
	}
	return r, nil
}

// Write leaves the record in a file that only its owner can read. A process that is killed meanwhile leaves the old
// one or the new one.
func (r *Record) Write(file string) error {
	raw, err := json.Marshal(r)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err == nil {
		err = statefile.Write(file, raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep where the stage is: %w", err)
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

// Answer is what a stage says after it was moved.
type Answer struct {
	Place Place
	// Step is the step that was run or taken back; nil when there was none.
	Step *Step
}

// Move asks the stage for a move, next or back, and waits for a step that this starts or takes back.
func (r *Record) Move(ctx context.Context, move string) (Answer, error) {
	return r.move(ctx, moveModel{Move: move, Wait: true})
}

// GoTo asks the stage for a slide, named by its ID, its title or its number. last is the last wait that is over,
// counted from 0; -1 for none.
func (r *Record) GoTo(ctx context.Context, slide string, last int) (Answer, error) {
	return r.move(ctx, moveModel{Slide: slide, Fragment: &last})
}

func (r *Record) move(ctx context.Context, m moveModel) (Answer, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return Answer{}, err
	}
	raw, err := r.do(ctx, http.MethodPost, "/api/position", body)
	if err != nil {
		return Answer{}, err
	}
	var a answerModel
	if err := json.Unmarshal(raw, &a); err != nil {
		return Answer{}, fmt.Errorf("understand the stage: %w", err)
	}
	if a.Error != "" {
		err = errors.New(a.Error)
	}
	return Answer{a.Place, a.Step}, err
}

// do sends a request and returns the answer. Answers that are no success are errors with what the stage says.
func (r *Record) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the stage: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	req.Header.Set("Content-Type", "application/json")
	// The stage is on this machine, whatever proxy the shell has.
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
		return nil, fmt.Errorf("read what the stage says: %w", err)
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
	return nil, fmt.Errorf("the stage says: %s", text)
}

// RequestError is a mistake in what the stage was asked for.
type RequestError struct{ msg string }

// Error implements error.
func (e *RequestError) Error() string { return e.msg }
