// Package decks holds the decks that come with the program, one Markdown file a talk.
// They are built into the binary, so that a talk needs nothing but the program itself.
package decks

import "embed"

// Files holds the decks as <name>.md.
//
//go:embed *.md
var Files embed.FS
