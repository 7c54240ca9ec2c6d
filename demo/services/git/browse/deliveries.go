package browse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

const bodyBytes = 32 << 10 // of a request that is shown

type (
	deliveryRow struct {
		Delivery
		When, Took string
		Good       bool
	}
	deliveryBody struct {
		Row               deliveryRow
		Request, Response []header
		Text              string // of the request
		Answer            string
		StatusText        string
	}
	header struct{ Name, Value string }
)

func rowOfDelivery(d Delivery) deliveryRow {
	return deliveryRow{Delivery: d, When: when(d.Time), Took: took(d.Duration), Good: d.State == "delivered"}
}

// took is a duration in words.
func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// deliveries lists the webhooks.
func (p *Pages) deliveries(_ *http.Request, v *view) error {
	v.template, v.Tab, v.Title, v.Last = "deliveries", "webhooks", "Webhooks · "+v.Repo, p.host.LastEvent()
	list, _ := p.host.Deliveries(v.Repo)
	var rows []deliveryRow
	for _, d := range list {
		rows = append(rows, rowOfDelivery(d))
	}
	v.Body = rows
	return nil
}

// delivery shows a webhook, with the request and the answer.
func (p *Pages) delivery(r *http.Request, v *view) error {
	list, _ := p.host.Deliveries(v.Repo)
	i := slices.IndexFunc(list, func(d Delivery) bool { return d.ID == r.PathValue("id") })
	if i < 0 {
		return notFound("this delivery is not remembered any more")
	}
	d := list[i]
	v.template, v.Tab, v.Title = "delivery", "webhooks", "Webhook · "+v.Repo
	v.Body = deliveryBody{
		Row: rowOfDelivery(d), Request: headersOf(d.Request), Response: headersOf(d.Response),
		Text: pretty(d.Body), Answer: visibleLines(d.Answer), StatusText: http.StatusText(d.Status),
	}
	return nil
}

func headersOf(h http.Header) []header {
	var list []header
	for _, name := range slices.Sorted(maps.Keys(h)) {
		list = append(list, header{name, visible(strings.Join(h[name], ", "))})
	}
	return list
}

// pretty indents JSON, for people. What is no JSON stays as it is.
func pretty(body string) string {
	var out bytes.Buffer
	if json.Indent(&out, []byte(body), "", "  ") == nil {
		body = out.String()
	}
	if len(body) > bodyBytes {
		body = body[:bodyBytes] + "\n…"
	}
	return visibleLines(body)
}
