package node

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// logOptions says which part of a log to read and how.
type logOptions struct {
	tail       int // the last lines only; less than 0: all
	limit      int64
	since      time.Time
	timestamps bool
	follow     bool
	previous   bool
}

// read writes a container's log to w. With follow it goes on until the
// instance of the container ends, or ctx. It returns an error that wraps
// fs.ErrNotExist if there is no such log.
func (s *logStore) read(ctx context.Context, key logKey, options logOptions, w io.Writer, flush func()) error {
	files, follow, stop, err := s.snapshot(key, options)
	if err != nil {
		return err
	}
	defer stop()
	out := &logPrinter{w: w, options: options, left: options.limit}
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
		for _, line := range lines {
			if err := out.print(line); err != nil {
				return ignoreLimit(err)
			}
		}
		if dropped {
			if _, err := io.WriteString(w, "[lines left out: this reader is too slow]\n"); err != nil {
				return err
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
func (s *logStore) snapshot(key logKey, options logOptions) ([]*os.File, *follower, func(), error) {
	s.mu.Lock()
	live := s.open[key]
	s.mu.Unlock()
	if options.previous || live == nil {
		files, err := openLogs(s.path(key, options.previous))
		return files, nil, func() {}, err
	}
	live.mu.Lock()
	defer live.mu.Unlock()
	files, err := openLogs(s.path(key, false))
	if err != nil || !options.follow || live.closed {
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

func openLogs(path string) ([]*os.File, error) {
	var files []*os.File
	for i := logKeep; i >= 0; i-- {
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

var errLogLimit = errors.New("log limit reached")

func ignoreLimit(err error) error {
	if errors.Is(err, errLogLimit) {
		return nil
	}
	return err
}

// logPrinter writes log lines the way the options ask for.
type logPrinter struct {
	w       io.Writer
	options logOptions
	left    int64 // bytes; only with options.limit
}

// history writes what is in the files already. The part to read is bounded by
// the size of the files at this moment: what comes later is the follower's.
func (p *logPrinter) history(files []*os.File) error {
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
				case p.options.tail < 0:
					if err := p.print(line); err != nil {
						return err
					}
				case p.options.tail == 0:
				case len(last) < p.options.tail:
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
func (p *logPrinter) print(line []byte) error {
	stamp, text, found := bytes.Cut(line, []byte(" "))
	if !found {
		stamp, text = nil, line
	}
	if !p.options.since.IsZero() {
		if at, err := time.Parse(logTimeFormat, string(stamp)); err == nil && at.Before(p.options.since) {
			return nil
		}
	}
	if p.options.timestamps {
		text = line
	}
	if p.options.limit > 0 {
		if int64(len(text)) > p.left {
			text = text[:p.left]
		}
		p.left -= int64(len(text))
	}
	if _, err := p.w.Write(text); err != nil {
		return err
	}
	if p.options.limit > 0 && p.left == 0 {
		return errLogLimit
	}
	return nil
}
