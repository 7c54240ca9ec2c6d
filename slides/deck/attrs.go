package deck

import (
	"slices"
	"strings"
)

// bindPrefix starts the attributes that say what a diagram's node stands for.
const bindPrefix = "bind-"

// knownAttr reports whether anything understands the attribute: this package, the stage, Rabbit or a browser. Dashes
// and underscores are the same to Rabbit.
func knownAttr(key string) bool {
	for _, prefix := range []string{bindPrefix, "data-", "aria-", "relative-margin-", "relative-padding-", "relative-clip-", "margin-", "padding-", "shadow-", "background-image-"} {
		if strings.HasPrefix(key, prefix) || strings.HasPrefix(strings.ReplaceAll(key, "_", "-"), prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"class", "id", "title", "lang", "language", "dir", "style",
		"walk", "coming", "chart", "slo",
		"width", "height", "relative-width", "relative-height", "normalized-width", "normalized-height",
		"align", "vertical-align", "caption", "alt", "src", "format", "background-color", "opacity",
		"keep-scale", "keep-ratio", "as-large-as-possible", "dither-mode", "reflect-ratio", "draw-shadow", "frame",
		"target", "rel", "href", "hreflang",
	}, strings.ReplaceAll(key, "_", "-"))
}

// closest returns the known attribute that key is most likely a misspelling of, or "".
func closest(key string) string {
	for _, known := range []string{"relative_height", "relative_width", "width", "height", "align", "caption", "class", "walk", "coming", "chart", "lang", "title"} {
		if distance(key, known) <= 2 {
			return known
		}
	}
	return ""
}

// distance returns how many letters have to be changed, added or taken out to make a into b. Long texts are far
// from everything.
func distance(a, b string) int {
	const long = 40
	if len(a) > long {
		return long
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
