package statefile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// record is what the journals of the tests are made of.
type record struct {
	Name string  `json:"name"`
	Of   *record `json:"of,omitempty"`
}

// readNames returns the names of a journal's records, and its damaged lines.
func readNames(t *testing.T, j statefile.Journal) (all []string, damaged []int) {
	t.Helper()
	damaged, err := j.Read(func(raw json.RawMessage) error {
		var r record
		if err := json.Unmarshal(raw, &r); err != nil {
			return err
		}
		if r.Name == "" {
			return errors.New("a record has a name")
		}
		all = append(all, r.Name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, damaged
}

func newJournal(t *testing.T) statefile.Journal {
	return statefile.Journal{Path: filepath.Join(t.TempDir(), "journal.jsonl"), Perm: 0o600}
}

func TestJournal(t *testing.T) {
	j := newJournal(t)
	if got, damaged := readNames(t, j); got != nil || damaged != nil {
		t.Errorf("without a file: %v, %v", got, damaged)
	}
	for _, records := range [][]any{{record{Name: "a"}}, {record{Name: "b"}, record{Name: "c"}}, {}} {
		if err := j.Append(records...); err != nil {
			t.Fatal(err)
		}
	}
	if got, damaged := readNames(t, j); !slices.Equal(got, []string{"a", "b", "c"}) || damaged != nil {
		t.Errorf("%v, %v", got, damaged)
	}
	if info, err := os.Stat(j.Path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := j.Append(func() {}); err == nil || !strings.Contains(err.Error(), j.Path) {
		t.Errorf("what has no JSON: %v", err)
	}
	j.Path = filepath.Dir(j.Path)
	if err := j.Append("x"); err == nil || !strings.Contains(err.Error(), j.Path) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := j.Read(nil); err == nil || !strings.Contains(err.Error(), j.Path) {
		t.Errorf("reading a folder: %v", err)
	}
}

// TestJournalTorn cuts a journal at every length: the whole records are read,
// and the next one that is appended is read after them.
func TestJournalTorn(t *testing.T) {
	j := newJournal(t)
	if err := j.Append(record{Name: "a"}, record{Name: "b", Of: &record{Name: "inner"}}, record{Name: strings.Repeat("long", 3000)}); err != nil {
		t.Fatal(err)
	}
	whole := read(t, j.Path)
	for cut := range len(whole) + 1 {
		if cut > 100 && cut < len(whole)-5 && cut%997 != 0 {
			continue // within the long one
		}
		if err := os.WriteFile(j.Path, []byte(whole[:cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		want := strings.Count(whole[:cut], "\n")
		got, damaged := readNames(t, j)
		if len(got) != want || damaged != nil {
			t.Fatalf("cut at %d: %v, damaged %v", cut, got, damaged)
		}
		if err := j.Append(record{Name: "next"}); err != nil {
			t.Fatal(err)
		}
		got, damaged = readNames(t, j)
		if len(got) != want+1 || got[want] != "next" || damaged != nil {
			t.Fatalf("cut at %d, then appended to: %v, damaged %v", cut, got, damaged)
		}
	}
}

func TestJournalDamaged(t *testing.T) {
	for _, test := range []struct {
		name, content string
		want          []string
		damaged       []int
	}{
		{"empty", "", nil, nil},
		{"garbage", "\x00\x01garbage", nil, nil},
		{"a line of garbage", "garbage\n{\"name\":\"a\"}\n", []string{"a"}, []int{1}},
		{"no records", "null\n{}\n[]\n7\n", nil, []int{1, 2, 3, 4}},
		{"blank lines", "\n{\"name\":\"a\"}\n\n", []string{"a"}, nil},
		{"zeros", "\x00\x00\x00{\"name\":\"a\"}\n\x00\x00", []string{"a"}, nil},
		{"torn, and one behind it", "{\"name\":\"a\"}\n{\"na{\"name\":\"b\"}\n", []string{"a", "b"}, nil},
		{"torn within another, and one behind it", "{\"name\":\"a\",\"of\":{\"name\":\"i\"}{\"name\":\"b\"}\n", []string{"b"}, nil},
		{"the start is lost", "e\":\"a\",\"of\":{\"name\":\"i\"}}\n", nil, []int{1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			j := newJournal(t)
			if err := os.WriteFile(j.Path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, damaged := readNames(t, j); !slices.Equal(got, test.want) || !slices.Equal(damaged, test.damaged) {
				t.Errorf("%q, damaged %v", got, damaged)
			}
			if err := j.Append(record{Name: "next"}); err != nil {
				t.Fatal(err)
			}
			if got, _ := readNames(t, j); !slices.Equal(got, append(test.want, "next")) {
				t.Errorf("then %q", got)
			}
		})
	}
}

// TestJournalConcurrent has several append at once, and one read meanwhile.
func TestJournalConcurrent(t *testing.T) {
	const writers, each = 8, 20
	j := newJournal(t)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				if err := j.Append(record{Name: fmt.Sprintf("%d-%d", w, i)}, record{Name: fmt.Sprintf("%d-%d again", w, i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for last := 0; ; {
		got, damaged := readNames(t, j)
		if len(got) < last || damaged != nil {
			t.Fatalf("%d records after %d, damaged %v", len(got), last, damaged)
		}
		last = len(got)
		select {
		case <-done:
			got, _ := readNames(t, j)
			if len(got) != 2*writers*each {
				t.Fatalf("%d records", len(got))
			}
			for i := 0; i < len(got); i += 2 {
				if got[i+1] != got[i]+" again" {
					t.Errorf("%q between those of one append", got[i:i+2])
				}
			}
			return
		default:
		}
	}
}
