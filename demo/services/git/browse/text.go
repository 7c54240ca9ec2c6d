package browse

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/go-git/go-git/v6/plumbing"
)

// href returns the address of a page of a repository. pairs are names and values of its query; empty values are left
// out. Paths and revisions are in the query, since they may have slashes, and names such as "..", which browsers and
// servers take out of an address.
func href(repo, page string, pairs ...string) string {
	var b strings.Builder
	b.WriteString("/" + url.PathEscape(repo))
	if page != "" {
		b.WriteString("/" + page)
	}
	sep := "?"
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		b.WriteString(sep + pairs[i] + "=" + strings.ReplaceAll(url.QueryEscape(pairs[i+1]), "%2F", "/"))
		sep = "&"
	}
	return b.String()
}

// visible makes text safe to look at: it stays what it is, and characters that would not be seen, or would change what
// is seen around them, are spelt out.
func visible(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if !strings.ContainsFunc(s, unseen) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case unseen(r):
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// visibleLines is visible for text of several lines.
func visibleLines(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = visible(l)
	}
	return strings.Join(lines, "\n")
}

func unseen(r rune) bool {
	if r == '\t' || r == '\u200c' || r == '\u200d' { // joiners are part of scripts and of emoji
		return false
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// short is the beginning of a hash, by which people know it.
func short(h plumbing.Hash) string { return h.String()[:7] }

// when is in UTC, since the clocks of the pod and of the reader may differ in their zone.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// refName is the short name of a branch or tag.
func refName(ref string) string { return plumbing.ReferenceName(ref).Short() }

// size is a number of bytes in words.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// subject is the first line of a commit's message.
func subject(message string) string {
	s, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	if s = strings.TrimSpace(s); s == "" {
		return "(no message)"
	}
	return s
}
