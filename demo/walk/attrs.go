package walk

import (
	"slices"
	"strings"
	"time"
)

// defaultTimeout is the deadline of a command whose block names none.
const defaultTimeout = 60 * time.Second

// runnable are the languages of blocks that are run; the value says whether to read them as Bash.
func runnable(lang string) (run, bash bool) {
	switch lang {
	case "sh":
		return true, false
	case "bash":
		return true, true
	}
	return false, false
}

// attr is one word of an info string: a role, or key=value.
type attr struct {
	key, value string
	hasValue   bool
	col        int // where it starts in the line, counted from 1
}

// splitInfo cuts an info string such as `sh check timeout=30s label="the app is there"` into its words.
// The first one is the language. col is the info string's own column.
func splitInfo(s *source, info string, line, col int) (lang string, attrs []attr) {
	for i := 0; i < len(info); {
		if info[i] == ' ' || info[i] == '\t' {
			i++
			continue
		}
		start := i
		var word strings.Builder
		key, hasValue := "", false
		for i < len(info) && info[i] != ' ' && info[i] != '\t' {
			switch {
			case info[i] == '=' && !hasValue:
				key, hasValue = word.String(), true
				word.Reset()
			case info[i] == '"' && hasValue && word.Len() == 0:
				end := strings.IndexByte(info[i+1:], '"')
				if end < 0 {
					s.errorf(line, col+i, "the quote is not closed")
					return lang, attrs
				}
				word.WriteString(info[i+1 : i+1+end])
				i += end + 1
			default:
				word.WriteByte(info[i])
			}
			i++
		}
		if start == 0 && !hasValue {
			lang = word.String()
			continue
		}
		a := attr{key: key, value: word.String(), hasValue: hasValue, col: col + start}
		if !hasValue {
			a.key, a.value = word.String(), ""
		}
		attrs = append(attrs, a)
	}
	return lang, attrs
}

// applyInfo gives the block its role and options, and reports what is unknown, doubled or does not fit together.
func applyInfo(s *source, b *Block, attrs []attr, col int) {
	run, _ := runnable(b.Lang)
	if run {
		b.Role, b.Timeout = Change, defaultTimeout
	}
	roles := []Role{Look, Check, Undo, Solve, Task, Hint, Why}
	var role attr
	seen := map[string]bool{}
	for _, a := range attrs {
		if seen[a.key] {
			s.errorf(b.Line, a.col, "%s is set twice", a.key)
			continue
		}
		seen[a.key] = true
		switch {
		case !a.hasValue && slices.Contains(roles, Role(a.key)):
			if role.key != "" {
				s.errorf(b.Line, a.col, "a block cannot be both %s and %s", role.key, a.key)
				continue
			}
			role = a
			b.Role = Role(a.key)
		case !a.hasValue && a.key == "always":
			b.Always = true
		case a.hasValue && a.key == "timeout":
			d, err := time.ParseDuration(a.value)
			if err != nil || d <= 0 {
				s.errorf(b.Line, a.col, "timeout %q is not a time such as 30s or 2m", a.value)
				continue
			}
			b.Timeout = d
		case a.hasValue && a.key == "label":
			if strings.TrimSpace(a.value) == "" {
				s.errorf(b.Line, a.col, "label is empty")
			}
			b.Label = a.value
		default:
			s.errorf(b.Line, a.col, "unknown attribute %q; valid attributes: look, check, undo, solve, task, hint, why, always, timeout=30s, label=\"...\"", attrText(a))
		}
	}
	if b.Always && b.Role != Check {
		s.errorf(b.Line, col, "only a check can be always")
	}
	switch {
	case b.text():
		b.Timeout = 0
	case !run && len(attrs) > 0:
		s.errorf(b.Line, col, "blocks in the language %q do not run: write sh (or bash), or remove the attributes", b.Lang)
	case slices.Contains([]string{"shell", "zsh", "fish"}, b.Lang):
		s.errorf(b.Line, col, "blocks in the language %q do not run: write sh (or bash), or console for an example", b.Lang)
	}
}

// text reports whether the block is a text for learners, which is never run.
func (b *Block) text() bool { return b.Role == Task || b.Role == Hint || b.Role == Why }

func attrText(a attr) string {
	if a.hasValue {
		return a.key + "=" + a.value
	}
	return a.key
}
