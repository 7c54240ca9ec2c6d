// Package decks embeds the built-in decks, one Markdown file each.
package decks

import "embed"

// Files holds the decks as <name>.md.
//
//go:embed *.md
var Files embed.FS
