package browse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/filemode"
	"github.com/go-git/go-git/v6/plumbing/object"
	"github.com/go-git/go-git/v6/storage/memory"
)

// memoryStorage is a repository in memory.
type memoryStorage struct{ *memory.Storage }

func (memoryStorage) Close() error { return nil }

// memoryHost has one repository, named "r".
type memoryHost struct{ st memoryStorage }

func (h memoryHost) Repositories() []string               { return []string{"r"} }
func (h memoryHost) Open(name string) (Storage, bool)     { return h.st, name == "r" }
func (h memoryHost) Pushes(string) []Push                 { return nil }
func (h memoryHost) Deliveries(string) ([]Delivery, bool) { return nil, true }
func (h memoryHost) LastEvent() int64                     { return 1 }
func (h memoryHost) Redeliver(context.Context, string, string) (string, error) {
	return "", errors.New("there are none")
}

// put stores an object, and returns its hash.
func put(t testing.TB, st memoryStorage, o interface {
	Encode(plumbing.EncodedObject) error
}) plumbing.Hash {
	t.Helper()
	raw := st.NewEncodedObject()
	if err := o.Encode(raw); err != nil {
		t.Fatal(err)
	}
	h, err := st.SetEncodedObject(raw)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// blob stores a file.
func blob(t testing.TB, st memoryStorage, text string) plumbing.Hash {
	t.Helper()
	raw := st.NewEncodedObject()
	raw.SetType(plumbing.BlobObject)
	w, err := raw.Writer()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := st.SetEncodedObject(raw)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// commitOf stores a commit of a folder "d" with one file "f", and puts main there.
func commitOf(t testing.TB, st memoryStorage, text string, parents ...plumbing.Hash) plumbing.Hash {
	t.Helper()
	inner := put(t, st, &object.Tree{Entries: []object.TreeEntry{{Name: "f", Mode: filemode.Regular, Hash: blob(t, st, text)}}})
	outer := put(t, st, &object.Tree{Entries: []object.TreeEntry{{Name: "d", Mode: filemode.Dir, Hash: inner}}})
	who := object.Signature{Name: "Ann", Email: "ann@example.com", When: time.Unix(1700000000, 0)}
	h := put(t, st, &object.Commit{Author: who, Committer: who, Message: "m", TreeHash: outer, ParentHashes: parents})
	for _, ref := range []*plumbing.Reference{
		plumbing.NewHashReference("refs/heads/main", h), plumbing.NewHashReference("refs/heads/a/b", h),
		plumbing.NewSymbolicReference(plumbing.HEAD, "refs/heads/main"),
	} {
		if err := st.SetReference(ref); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// ask gets a page.
func ask(pages http.Handler, address string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	pages.ServeHTTP(w, httptest.NewRequest(http.MethodGet, address, nil))
	return w
}

// FuzzQuery asks for paths and revisions of all sorts: the answer is a page or 404, and an address that the pages make
// says what was meant.
func FuzzQuery(f *testing.F) {
	for _, seed := range [][2]string{
		{"main", "d/f"}, {"a/b", "d"}, {"", ""}, {"refs/heads/main", "../d"}, {"HEAD", "d//f"}, {"..", "\n"}, {"main\x00", "d/f\x00"},
		{"refs/heads/../config", "/"}, {"1234567", "d/f/g"}, {"refs/", "ä ö%2F+&=#?"}, {"\xff", "\xff"}, {strings.Repeat("a/", 300), strings.Repeat("/", 3000)},
		{"@{-1}", "d\\f"}, {"main~1", "."}, {"main.lock", "<script>"},
	} {
		f.Add(seed[0], seed[1])
	}
	st := memoryStorage{memory.NewStorage()}
	commitOf(f, st, "two\n", commitOf(f, st, "one\n"))
	pages, err := New(memoryHost{st}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, rev, path string) {
		for _, page := range []string{"tree", "file", "raw", "commits", "commit"} {
			address := href("r", page, "rev", rev, "path", path)
			u, err := url.Parse(address)
			if err != nil {
				t.Fatalf("%q: %v", address, err)
			}
			if q := u.Query(); q.Get("rev") != rev || q.Get("path") != path || u.Path != "/r/"+page {
				t.Errorf("%q says %q and %q, not %q and %q", address, q.Get("rev"), q.Get("path"), rev, path)
			}
			w := ask(pages, address)
			if w.Code != http.StatusOK && w.Code != http.StatusNotFound {
				t.Errorf("GET %s: %d\n%s", address, w.Code, w.Body)
			}
			if body := w.Body.String(); page != "raw" && strings.Contains(body, "<script>") {
				t.Errorf("GET %s: not escaped:\n%s", address, body)
			}
			if known := rev == "" || rev == "main" || rev == "a/b"; known && path == "d/f" && page == "raw" && w.Body.String() != "two\n" {
				t.Errorf("GET %s: %d %q", address, w.Code, w.Body)
			}
		}
	})
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ä 日本 👩‍💻": "plain ä 日本 👩‍💻",
		"a\nb\tc":        "a\\nb\tc",
		"\x1b[31mred":    "<U+001B>[31mred",
		"a\u202eb\u2066": "a<U+202E>b<U+2066>",
		"\xff\xfe":       "\ufffd",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) is %q, want %q", in, got, want)
		}
	}
}

// TestRows compares texts, and leaves out what is far from a change.
func TestRows(t *testing.T) {
	many := strings.Repeat("same\n", 20)
	for name, c := range map[string]struct{ old, now, want string }{
		"new":        {"", "a\nb\n", "+a +b"},
		"gone":       {"a\n", "", "-a"},
		"no newline": {"a", "a\nb", "-a +a +b"},
		"far":        {"x\n" + many + "y\n", "x\n" + many + "z\n", "… =same =same =same -y +z"},
		"both ends":  {"a\n" + many + "b\n", "A\n" + many + "B\n", "-a +A =same =same =same … =same =same =same -b +B"},
	} {
		rows, _, _ := rowsOf(c.old, c.now)
		var got []string
		for _, r := range rows {
			got = append(got, strings.ReplaceAll(r.Op, " ", "=")+r.Text)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %q, want %q", name, s, c.want)
		}
	}
}

// TestLimits names what is too large to show.
func TestLimits(t *testing.T) {
	st := memoryStorage{memory.NewStorage()}
	first := commitOf(t, st, strings.Repeat("a\n", diffBytes))
	long := commitOf(t, st, strings.Repeat("b\n", fileLines+5), first)
	var different strings.Builder
	for i := range fileLines {
		fmt.Fprintln(&different, i)
	}
	last := commitOf(t, st, different.String(), long)
	pages, err := New(memoryHost{st}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"/r/file?path=d/f&rev=" + long.String(): "Only the first 10000 lines",
		"/r/commit?rev=" + long.String():        "too much to show here",
		"/r/commit?rev=" + last.String():        "The rest of the change is too long",
	} {
		w := ask(pages, address)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("GET %s: %d, lacks %q", address, w.Code, want)
		}
	}
}
