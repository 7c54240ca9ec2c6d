// Package builtin embeds the built-in walks, one Markdown file each.
package builtin

import "embed"

// Files holds the walks as <name>.md.
//
//go:embed *.md
var Files embed.FS
