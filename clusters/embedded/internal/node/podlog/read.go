package podlog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"time"
)

// Options says which part of a log to read and how.
type Options struct {
	Tail       int // the last lines only; less than 0: all
	Limit      int64
	Since      time.Time
	Timestamps bool
	Follow     bool
	Previous   bool
}

// Read writes a container's log to w. With follow it goes on until the
// instance of the container ends, or ctx. It returns an error that wraps
// fs.ErrNotExist if there is no such log.
func (s *Store) Read(ctx context.Context, key Key, options Options, w io.Writer, flush func()) error {
	files, follow, stop, err := s.snapshot(key, options)
	if err != nil {
		return err
	}
	defer stop()
	out := &printer{w: w, options: options, left: options.Limit}
	err = out.history(files)
	for _, file := range files {
		file.Close()
	}
	flush()
	if follow == nil || err != nil {
		return ignoreLimit(err)
	}
	for {
		select {
		case <-follow.signal:
		case <-ctx.Done():
			return nil // the reader went away
		}
		lines, dropped, ended := follow.take()
		if dropped {
			if _, err := io.WriteString(w, "[lines left out: this reader is too slow]\n"); err != nil {
				return err
			}
		}
		for _, line := range lines {
			if err := out.print(line); err != nil {
				return ignoreLimit(err)
			}
		}
		flush()
		if ended {
			return nil
		}
	}
}

// snapshot opens the files that make up a log, oldest first, and begins to
// follow at exactly their end. Open files stay readable when they are rotated
// away, so nothing is lost or read twice.
func (s *Store) snapshot(key Key, options Options) ([]*os.File, *follower, func(), error) {
	s.mu.Lock()
	live := s.open[key]
	s.mu.Unlock()
	if options.Previous || live == nil {
		files, err := openFiles(s.path(key, options.Previous))
		return files, nil, func() {}, err
	}
	live.mu.Lock()
	defer live.mu.Unlock()
	files, err := openFiles(s.path(key, false))
	if err != nil || !options.Follow || live.closed {
		return files, nil, func() {}, err
	}
	f := newFollower()
	live.followers[f] = struct{}{}
	return files, f, func() {
		live.mu.Lock()
		defer live.mu.Unlock()
		delete(live.followers, f)
	}, nil
}

func openFiles(path string) ([]*os.File, error) {
	var files []*os.File
	for i := kept; i >= 0; i-- {
		file, err := os.Open(rotated(path, i))
		if err == nil {
			files = append(files, file)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("opening log: %w", err)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("opening log %s: %w", path, fs.ErrNotExist)
	}
	return files, nil
}

var errLimit = errors.New("log limit reached")

func ignoreLimit(err error) error {
	if errors.Is(err, errLimit) {
		return nil
	}
	return err
}

// printer writes log lines the way the options ask for.
type printer struct {
	w       io.Writer
	options Options
	left    int64 // bytes; only with options.Limit
}

// history writes what is in the files already. The part to read is bounded by
// the size of the files at this moment: what comes later is the follower's.
func (p *printer) history(files []*os.File) error {
	var last [][]byte // a ring of the last lines, if a number of them is asked for
	next := 0
	for _, file := range files {
		info, err := file.Stat()
		if err != nil {
			return fmt.Errorf("reading log: %w", err)
		}
		reader := bufio.NewReaderSize(io.LimitReader(file, info.Size()), 64<<10)
		for {
			line, err := reader.ReadBytes('\n')
			if len(line) > 0 {
				switch {
				case p.options.Tail < 0:
					if err := p.print(line); err != nil {
						return err
					}
				case p.options.Tail == 0:
				case len(last) < p.options.Tail:
					last = append(last, line)
				default:
					last[next] = line
					next = (next + 1) % len(last)
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("reading log: %w", err)
			}
		}
	}
	for i := range last {
		if err := p.print(last[(next+i)%len(last)]); err != nil {
			return err
		}
	}
	return nil
}

// print writes one stored line.
func (p *printer) print(line []byte) error {
	stamp, text, found := bytes.Cut(line, []byte(" "))
	if !found {
		stamp, text = nil, line
	}
	if !p.options.Since.IsZero() {
		if at, err := time.Parse(timeFormat, string(stamp)); err == nil && at.Before(p.options.Since) {
			return nil
		}
	}
	if p.options.Timestamps {
		text = line
	}
	if p.options.Limit > 0 {
		if int64(len(text)) > p.left {
			text = text[:p.left]
		}
		p.left -= int64(len(text))
	}
	if _, err := p.w.Write(text); err != nil {
		return err
	}
	if p.options.Limit > 0 && p.left == 0 {
		return errLimit
	}
	return nil
}

// Say writes a line that no container has written, as Read writes lines.
func Say(w io.Writer, at time.Time, text string, options Options) error {
	p := &printer{w: w, options: Options{Timestamps: options.Timestamps}}
	return p.print([]byte(at.UTC().Format(timeFormat) + " " + text + "\n"))
}

// ParseOptions reads the query of a kubelet's log request.
func ParseOptions(query url.Values, now time.Time) (Options, error) {
	options := Options{Tail: -1}
	number := func(name string, least int64) (int64, bool, error) {
		text := query.Get(name)
		if text == "" {
			return 0, false, nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < least {
			return 0, false, fmt.Errorf("%s=%q is not a number of at least %d", name, text, least)
		}
		return n, true, nil
	}
	if n, ok, err := number("tailLines", 0); err != nil {
		return options, err
	} else if ok {
		options.Tail = int(n)
	}
	if n, ok, err := number("limitBytes", 1); err != nil {
		return options, err
	} else if ok {
		options.Limit = n
	}
	if n, ok, err := number("sinceSeconds", 1); err != nil {
		return options, err
	} else if ok {
		options.Since = now.Add(-time.Duration(n) * time.Second)
	}
	if text := query.Get("sinceTime"); text != "" {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return options, fmt.Errorf("sinceTime: %w", err)
		}
		options.Since = at
	}
	for name, flag := range map[string]*bool{
		"follow": &options.Follow, "previous": &options.Previous, "timestamps": &options.Timestamps,
	} {
		if text := query.Get(name); text != "" {
			value, err := strconv.ParseBool(text)
			if err != nil {
				return options, fmt.Errorf("%s=%q is neither true nor false", name, text)
			}
			*flag = value
		}
	}
	return options, nil
}
