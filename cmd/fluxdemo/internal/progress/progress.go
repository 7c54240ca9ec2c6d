// Package progress shows the steps of a long operation as they start and end:
// live on a terminal, a line for each elsewhere.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/output"
	"github.com/fluxdemo/fluxdemo/demo/plaintext"
)

// Printer shows steps with how long they took. It implements clusters.Steps.
type Printer struct {
	out   io.Writer
	tty   *os.File // out, to draw on; nil if it is no terminal
	color bool

	mu      sync.Mutex
	running []*runningStep
	drawn   int // lines of running steps on the screen
	ticker  *time.Ticker
	quit    chan struct{}
	gone    chan struct{}
}

type runningStep struct {
	name  string
	title string // the name, fit for a terminal
	start time.Time
	far   string    // its progress
	said  time.Time // when its progress was last printed
}

// tellEvery is how often the progress of a step is printed where there is no
// terminal. On a terminal, the line is redrawn all the time.
const tellEvery = 10 * time.Second

// New returns a Printer on out. Close it when the operation has ended.
func New(out io.Writer) *Printer {
	p := &Printer{out: out, quit: make(chan struct{}), gone: make(chan struct{})}
	if tty, drawable := output.Terminal(out); drawable {
		p.out, p.tty = tty, tty
		p.color = os.Getenv("NO_COLOR") == ""
	}
	if p.tty == nil {
		close(p.gone)
		return p
	}
	p.ticker = time.NewTicker(100 * time.Millisecond)
	go func() {
		defer close(p.gone)
		for {
			select {
			case <-p.ticker.C:
				p.mu.Lock()
				p.draw("")
				p.mu.Unlock()
			case <-p.quit:
				return
			}
		}
	}()
	return p
}

// Start implements clusters.Steps.
func (p *Printer) Start(name string) func(error) {
	step := &runningStep{name: name, title: plaintext.Line(name), start: time.Now(), said: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, step)
	if p.tty != nil {
		p.draw("")
	}
	return func(err error) { p.end(step, err) }
}

// Progress sets the progress of a running step, for example "12 of 100".
func (p *Printer) Progress(name, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, step := range p.running {
		if step.name != name {
			continue
		}
		step.far = plaintext.Line(text)
		if p.tty == nil && time.Since(step.said) > tellEvery {
			step.said = time.Now()
			fmt.Fprint(p.out, p.line(step))
		}
	}
}

// line returns the line of a running step. On a terminal it never wraps,
// because draw counts lines to go back.
func (p *Printer) line(step *runningStep) string {
	line := fmt.Sprintf("%s %-36s %5.1f s  %s", p.paint("•", "33"), step.title, time.Since(step.start).Seconds(), step.far)
	if p.tty != nil {
		if width, _, err := term.GetSize(p.tty.Fd()); err == nil && width > 1 {
			line = ansi.Truncate(line, width-1, "…")
		}
	}
	return line + "\n"
}

func (p *Printer) end(step *runningStep, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.running {
		if other == step {
			p.running = append(p.running[:i], p.running[i+1:]...)
			break
		}
	}
	mark, color := "✓", "32"
	if err != nil {
		mark, color = "✗", "31"
	}
	line := fmt.Sprintf("%s %-36s %5.1f s\n", p.paint(mark, color), step.title, time.Since(step.start).Seconds())
	if p.tty != nil {
		p.draw(line)
		return
	}
	fmt.Fprint(p.out, line)
}

// draw replaces the running steps on the screen, and puts line above them.
func (p *Printer) draw(line string) {
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", p.drawn)
	}
	b.WriteString(line)
	for _, step := range p.running {
		b.WriteString(p.line(step))
	}
	p.drawn = len(p.running)
	fmt.Fprint(p.out, b.String())
}

func (p *Printer) paint(s, color string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

// Close ends the display.
func (p *Printer) Close() {
	if p.tty != nil {
		p.ticker.Stop()
		close(p.quit)
	}
	<-p.gone
}
