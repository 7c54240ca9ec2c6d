package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// wrap breaks a line at its spaces so that no part is wider than width; parts after the first are indented by hang.
// Spaces inside a part stay as they are, and a word that is wider than a line is broken inside.
func wrap(line string, width, hang int) []string {
	hang = min(hang, width/2)
	var out []string
	indent := ""
	for {
		room := max(width-len(indent), 1)
		if ansi.StringWidth(line) <= room {
			return append(out, indent+line)
		}
		head := ansi.Truncate(line, room, "")
		if head == "" { // one character that is wider than the line
			head = line[:len(string([]rune(line)[:1]))]
		}
		rest := line[len(head):]
		at := strings.LastIndexByte(head, ' ')
		switch {
		case strings.HasPrefix(rest, " "):
		case at > 0 && strings.TrimLeft(head[:at], " ") != "":
			head, rest = line[:at], line[at:]
		}
		out = append(out, indent+strings.TrimRight(head, " "))
		line = strings.TrimLeft(rest, " ")
		if line == "" {
			return out
		}
		indent = strings.Repeat(" ", hang)
	}
}

// leading returns how many spaces a line starts with.
func leading(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// reveal returns the first n characters of lines; spaces before a line's first character come with it.
func reveal(lines []string, n int) []string {
	var out []string
	for i, l := range lines {
		r := []rune(l)
		skip := leading(l)
		if len(r)-skip >= n || i == len(lines)-1 {
			return append(out, string(r[:min(skip+n, len(r))]))
		}
		out = append(out, l)
		n -= len(r) - skip
	}
	return out
}

// took writes how long something took, as a person says it: 0.4 s, 1 min 05 s.
func took(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
}

// clock writes a time as a stopwatch does: 0:04, 12:30, 1:02:03.
func clock(d time.Duration) string {
	s := int(d / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// spread puts left and right at the ends of a line of that width, with at least two spaces between them.
func spread(left, right string, width int) string {
	gap := width - ansi.StringWidth(left) - ansi.StringWidth(right)
	return left + strings.Repeat(" ", max(gap, 2)) + right
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
