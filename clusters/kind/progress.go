package kind

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"

	"sigs.k8s.io/kind/pkg/log"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// progress is the logger that kind's library writes to. It makes steps of
// the lines that begin and end one, and keeps everything in a log.
type progress struct {
	steps clusters.Steps
	log   io.Writer

	mu      sync.Mutex
	end     func(error) // of the step that runs, if one does
	started func(name string)
}

var _ log.Logger = (*progress)(nil)

// newProgress returns a logger for kind. started is called with the name of
// each step that begins.
func newProgress(steps clusters.Steps, out io.Writer, started func(name string)) *progress {
	return &progress{steps: steps, log: out, started: started}
}

// close ends the step that runs, if one does.
func (p *progress) close(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end != nil {
		p.end(err)
		p.end = nil
	}
}

// line takes a line of kind's. Its steps are written " • Doing this  ...",
// and " ✓ Doing this" or " ✗ Doing this" at their end.
func (p *progress) line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.log, strings.TrimRight(text, "\n"))
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "•"):
		if p.end != nil {
			p.end(nil)
		}
		name := stepName(text)
		p.end = p.steps.Start(name)
		p.started(name)
	case p.end != nil && strings.HasPrefix(text, "✓"):
		p.end(nil)
		p.end = nil
	case p.end != nil && strings.HasPrefix(text, "✗"):
		p.end(fmt.Errorf("%s", stepName(text)))
		p.end = nil
	}
}

// stepName returns the words of a step's line, without its bullet, dots,
// pictures and what stands in brackets.
func stepName(text string) string {
	text, _, _ = strings.Cut(text, " (")
	text = strings.Map(func(r rune) rune {
		if r > unicode.MaxLatin1 {
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(strings.TrimRight(text, " .")), " ")
}

// Warn implements log.Logger.
func (p *progress) Warn(message string) { p.line(message) }

// Warnf implements log.Logger.
func (p *progress) Warnf(format string, args ...any) { p.line(fmt.Sprintf(format, args...)) }

// Error implements log.Logger.
func (p *progress) Error(message string) { p.line(message) }

// Errorf implements log.Logger.
func (p *progress) Errorf(format string, args ...any) { p.line(fmt.Sprintf(format, args...)) }

// V implements log.Logger.
func (p *progress) V(log.Level) log.InfoLogger { return infoLogger{p} }

// infoLogger is what kind writes everything but warnings to.
type infoLogger struct{ p *progress }

// Info implements log.InfoLogger.
func (i infoLogger) Info(message string) { i.p.line(message) }

// Infof implements log.InfoLogger.
func (i infoLogger) Infof(format string, args ...any) { i.p.line(fmt.Sprintf(format, args...)) }

// Enabled implements log.InfoLogger.
func (i infoLogger) Enabled() bool { return true }
