package status

import (
	"cmp"
	"fmt"
	"io"

	"github.com/fluxdemo/fluxdemo/demo"
)

// PrintURLs writes the URLs of a demo that has just started, a line each.
func PrintURLs(out io.Writer, urls demo.URLs) {
	for _, each := range lines(urls) {
		if each.url != "" {
			fmt.Fprintf(out, "%-6s %s\n", each.name, each.url)
		}
	}
}

// printAddresses writes the URLs, and which of the demo's parts has none because it does not run.
func printAddresses(out io.Writer, urls demo.URLs) {
	for _, each := range lines(urls) {
		if each.url != "" || each.always {
			fmt.Fprintf(out, "%-6s %s\n", each.name, cmp.Or(each.url, "not running"))
		}
	}
}

type line struct {
	name, url string
	always    bool // every demo has it
}

func lines(urls demo.URLs) []line {
	return []line{{"App", urls.App, true}, {"Git", urls.Git, true}, {"Forge", urls.Upstream, false}, {"Inbox", urls.Inbox, true}}
}
