// Package builtin holds the walks that come with the program, one Markdown file a story.
// They are built into the binary, so that a walk needs nothing but the program itself.
package builtin

import "embed"

// Files holds the walks as <name>.md.
//
//go:embed *.md
var Files embed.FS
