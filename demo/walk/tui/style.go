package tui

import (
	"image/color"

	"charm.land/lipgloss/v2"
)

// styles are the looks of what is on the screen. Each meaning also has a sign or a position, so that nothing is lost
// without colours.
type styles struct {
	title  lipgloss.Style // the step's heading
	strong lipgloss.Style // commands and keys
	soft   lipgloss.Style // output, and what is there to look up
	accent lipgloss.Style // the bar, the prompt, what moves
	good   lipgloss.Style
	bad    lipgloss.Style
	warn   lipgloss.Style
}

// plainStyles are for a terminal that has not said what its background is: its own colours are made for it.
func plainStyles() styles {
	s := newStyles(lipgloss.Blue, lipgloss.NoColor{}, lipgloss.Green, lipgloss.Red, lipgloss.Magenta)
	s.soft = s.soft.Faint(true)
	return s
}

// stylesFor are colours that a projector does not wash out: each has a contrast of at least 5:1.
func stylesFor(dark bool) styles {
	pick := lipgloss.LightDark(dark)
	return newStyles(
		pick(lipgloss.Color("#0B4FB3"), lipgloss.Color("#82B5FF")),
		pick(lipgloss.Color("#505050"), lipgloss.Color("#B4B4B4")),
		pick(lipgloss.Color("#0F6B2E"), lipgloss.Color("#74D391")),
		pick(lipgloss.Color("#A31515"), lipgloss.Color("#FF8F85")),
		pick(lipgloss.Color("#7A4B00"), lipgloss.Color("#F2C14E")),
	)
}

func newStyles(accent, soft, good, bad, warn color.Color) styles {
	s := lipgloss.NewStyle()
	return styles{
		title:  s.Bold(true).Foreground(accent),
		strong: s.Bold(true),
		soft:   s.Foreground(soft),
		accent: s.Foreground(accent),
		good:   s.Bold(true).Foreground(good),
		bad:    s.Bold(true).Foreground(bad),
		warn:   s.Bold(true).Foreground(warn),
	}
}
