package deck

import (
	"strings"
	"time"
)

// definitions returns the terms and texts of a definition list, in order, with the terms in lower case with dashes.
func definitions(list Block) (terms []string, texts []string, lines []int) {
	for _, b := range list.Blocks {
		switch b.Kind {
		case Term:
			terms = append(terms, strings.ReplaceAll(strings.ToLower(plain(b.Inlines)), "_", "-"))
			texts = append(texts, "")
			lines = append(lines, b.Line)
		case Definition:
			if n := len(texts) - 1; n >= 0 && texts[n] == "" {
				texts[n], lines[n] = PlainText(b.Blocks), b.Line
			}
		}
	}
	return terms, texts, lines
}

// takeMeta makes the first definition list of the title slide the deck's meta data.
func (p *parser) takeMeta(s *Slide) {
	for i, b := range s.Blocks {
		if b.Kind != Definitions {
			continue
		}
		terms, texts, lines := definitions(b)
		for j, term := range terms {
			p.setMeta(term, texts[j], lines[j])
		}
		s.Blocks = append(s.Blocks[:i:i], s.Blocks[i+1:]...)
		break
	}
	m := &p.deck.Meta
	if !m.StartTime.IsZero() && !m.EndTime.IsZero() {
		between := m.EndTime.Sub(m.StartTime)
		switch {
		case between <= 0:
			p.warnf(p.metaAt["end-time"], "the talk ends before it starts")
		case m.AllottedTime > 0 && m.AllottedTime != between:
			p.warnf(p.metaAt["allotted-time"], "allotted-time is %s, but start-time to end-time is %s", short(m.AllottedTime), short(between))
		}
	}
	s.meta = m
}

// setMeta keeps one fact of the title slide.
func (p *parser) setMeta(term, text string, line int) {
	m := &p.deck.Meta
	p.metaAt[term] = p.lines[line-1]
	switch term {
	case "subtitle":
		m.Subtitle = text
	case "author":
		m.Author = text
	case "institution":
		m.Institution = text
	case "theme":
		m.Theme = text
	case "date":
		m.Date = text
	case "allotted-time":
		d, err := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
		if err != nil || d <= 0 {
			p.errorf(p.metaAt[term], "allotted-time %q is not a duration such as 5m or 1h30m", text)
			return
		}
		m.AllottedTime = d
		p.deck.allotted = position{p.file, line, 1}
	case "start-time":
		m.StartTime = p.time(term, text)
	case "end-time":
		m.EndTime = p.time(term, text)
	default:
		if m.Other == nil {
			m.Other = map[string]string{}
		}
		m.Other[term] = text
	}
}

func (p *parser) time(term, text string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04 -0700", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t
		}
	}
	p.errorf(p.metaAt[term], "%s %q is not a time such as 2006-01-02T15:04:05-07:00", term, text)
	return time.Time{}
}

// short writes a time as 5m or 1h30m, without what is zero.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
