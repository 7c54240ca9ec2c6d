package git

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/services/event"
)

// visit gets a page and returns its status and text.
func visit(t *testing.T, address string, header http.Header) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

var links = regexp.MustCompile(`(?:href|action)="([^"]*)"`)

var atCommit = regexp.MustCompile(`/(?:tree|file|raw)\?rev=([0-9a-f]{40})`)

// crawl visits all pages that can be reached from the first one. Each must be there. Of commits, it looks at the files
// of a few only.
func crawl(t *testing.T, base string) map[string]string {
	t.Helper()
	pages, commits := map[string]string{}, map[string]bool{}
	for todo := []string{"/"}; len(todo) > 0; {
		path := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if _, seen := pages[path]; seen {
			continue
		}
		status, header, body := visit(t, base+path, nil)
		if status != http.StatusOK {
			t.Errorf("GET %s: %d\n%s", path, status, body)
		}
		pages[path] = body
		if !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
			continue
		}
		if csp := header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("GET %s: the policy is %q", path, csp)
		}
		for _, m := range links.FindAllStringSubmatch(body, -1) {
			link, _, _ := strings.Cut(html.UnescapeString(m[1]), "#")
			switch {
			case strings.HasSuffix(link, "/redeliver"), strings.HasPrefix(link, "data:"), link == "":
			case strings.HasPrefix(link, "/"):
				if m := atCommit.FindStringSubmatch(link); m != nil && !commits[m[1]] {
					if len(commits) == 3 {
						continue
					}
					commits[m[1]] = true
				}
				todo = append(todo, link)
			default:
				t.Errorf("GET %s links to %q", path, link)
			}
		}
	}
	return pages
}

// TestPages makes a repository with all that is strange, and follows each link of its pages.
func TestPages(t *testing.T) {
	t.Parallel()
	hook, accepted := receiver(t, nil)
	h := start(t, Config{WebhookURL: hook, WebhookToken: token})
	w := work(t, h, "fleet")
	commit(t, w, "First <script>alert(1)</script>\n\nwith a body & more",
		"README.md", "# Hello\n<img src=x onerror=alert(1)>\n", "apps/demo/app.env", "COLOR=tomato\nSIZE=1\n",
		"umläut/größe.txt", "ä\n", "with space/a b.txt", "x", "new\nline/fi\nle.txt", "n\n", "per%cent/100%.txt", "p\n",
		`quote"s/<b>.txt`, "q\n", "plus+and&/a=b?c#d.txt", "s\n", "binary.bin", "a\x00b", "big.txt", strings.Repeat("line\n", 200000),
		"latin1.txt", "gr\xfc\xdfe\n", "crlf.txt", "a\r\nb\r\n", "empty.txt", "", "-/dash.txt", "d\n", "bidi.txt", "a\u202eb\n")
	if err := os.Symlink("README.md", filepath.Join(w, "link")); err != nil {
		t.Fatal(err)
	}
	git(t, w, "mv", "apps/demo/app.env", "apps/demo/moved.env")
	second := commit(t, w, "Second: moved", "umläut/größe.txt", "ä\nö\n", "run.sh", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(w, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	third := commit(t, w, "Third", "crlf.txt", "a\r\nc\r\n")
	git(t, w, "tag", "-a", "v1.0", "-m", "one")
	git(t, w, "push", "-q", "--follow-tags", "origin", "main", "main:feature/with/slashes", "main:umläut#1")
	for range 3 {
		receive(t, accepted, "webhook")
	}
	await(t, h, event.Delivered)
	history(t, w, 70, "many", func(i int) []string { return []string{"apps/demo/n.txt", fmt.Sprint(i)} })
	git(t, w, "push", "-q", "origin", "main")
	pages := crawl(t, h.url)
	all := strings.Builder{}
	for path, body := range pages {
		if strings.HasPrefix(path, "/-/") {
			continue
		}
		if !strings.Contains(path, "/raw?") {
			all.WriteString(body)
		}
	}
	for _, bad := range []string{"<script>alert", "<img", "hook/0123456789", token, "secret", "\u202e"} {
		if strings.Contains(all.String(), bad) {
			t.Errorf("a page has %q", bad)
		}
	}
	if n := len(pages); n < 150 {
		t.Errorf("only %d pages were found", n)
	}
	commitPage := "/fleet/commit?rev=" + second
	for path, wants := range map[string][]string{
		"/":          {"many 69", "git clone " + h.url + "/fleet.git"},
		"/fleet":     {"README.md", "&lt;img src=x", "apps/", "umläut/", "many 69", "pushed by demo"},
		"/fleet.git": {"README.md", "git clone " + h.url + "/fleet.git"},
		"/fleet/":    {"README.md"},
		"/fleet/file?rev=" + second + "&path=apps/demo/moved.env":     {`id="L2"`, `href="#L2"`, "SIZE=1"},
		"/fleet/file?path=" + url.QueryEscape("new\nline/fi\nle.txt"): {`new\nline`, `fi\nle.txt`},
		"/fleet/file?path=binary.bin":                                 {"binary, and has 3 B"},
		"/fleet/file?path=big.txt":                                    {"976.6 KiB, too much to show"},
		"/fleet/file?path=latin1.txt":                                 {"gr\ufffde"},
		"/fleet/file?path=bidi.txt":                                   {"a&lt;U&#43;202E&gt;b"},
		"/fleet/file?path=empty.txt":                                  {"The file is empty."},
		"/fleet/file?path=link":                                       {"symbolic link", "README.md"},
		"/fleet/file?rev=feature/with/slashes&path=" + url.QueryEscape("umläut/größe.txt"): {"ö", "at feature/with/slashes"},
		"/fleet/tree?rev=" + url.QueryEscape("umläut#1"):                                   {"README.md", "at umläut#1"},
		"/fleet/tree?rev=v1.0":                          {"README.md"},
		"/fleet/tree?rev=refs/tags/v1.0&path=apps/demo": {"moved.env"},
		commitPage:                        {"renamed from apps/demo/app.env", `class="plus"`, "ö", "Ann &lt;ann@example.com&gt;"},
		"/fleet/commit?rev=" + second[:9]: {"Second: moved"},
		"/fleet/commit?rev=" + third:      {"Pushed", "by demo", "Mode: executable, before file."},
		"/fleet/commits":                  {"many 69", "page=2"},
		"/fleet/commits?page=3":           {"First &lt;script&gt;", "Third", "page=2"},
		"/fleet/refs":                     {"feature/with/slashes", "v1.0", "default"},
		"/fleet/pushes":                   {"demo", "created", "feature/with/slashes"},
		"/fleet/webhooks":                 {"delivered, 200", "umläut#1"},
	} {
		status, _, body := visit(t, h.url+path, nil)
		for _, want := range wants {
			if status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("GET %s: %d, lacks %q:\n%.3000s", path, status, want, body)
			}
		}
	}
	for _, path := range []string{
		"/nothing", "/nothing/commits", "/fleet/nothing", "/fleet/tree?rev=nothing", "/fleet/tree?path=nothing", "/fleet/file?path=README.md/x",
		"/fleet/tree?rev=../../fleet.git/HEAD", "/fleet/tree?rev=HEAD", "/fleet/tree?rev=refs/heads/../../config", "/fleet/file?path=../config", "/fleet/file?path=..",
		"/fleet/file?path=/etc/passwd", "/fleet/raw?path=apps", "/fleet/raw?path=..", "/fleet/commits?page=0", "/fleet/commits?page=x", "/fleet/commit?rev=1234567",
		"/fleet/commit?rev=" + strings.Repeat("a", 500), "/fleet/webhooks/x", "/%2e%2e/fleet", "/-/../fleet.git/config", "/-/nothing.css",
	} {
		if status, _, body := visit(t, h.url+path, nil); status != http.StatusNotFound {
			t.Errorf("GET %s: %d\n%.2000s", path, status, body)
		}
	}
	status, header, body := visit(t, h.url+"/fleet/raw?path=README.md", nil)
	if status != http.StatusOK || header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.Contains(header.Get("Content-Security-Policy"), "sandbox") ||
		header.Get("X-Content-Type-Options") != "nosniff" || body != "# Hello\n<img src=x onerror=alert(1)>\n" {
		t.Errorf("raw: %d %v %q", status, header, body)
	}
	if status, header, body := visit(t, h.url+"/fleet/raw?path=binary.bin", nil); status != http.StatusOK || header.Get("Content-Type") != "application/octet-stream" ||
		!strings.HasPrefix(header.Get("Content-Disposition"), "attachment") || body != "a\x00b" {
		t.Errorf("raw: %d %v %q", status, header, body)
	}
}

// TestRedeliver presses the button, from the page and from elsewhere.
func TestRedeliver(t *testing.T) {
	t.Parallel()
	statuses := make(chan int, 8)
	hook, accepted := receiver(t, statuses)
	h := start(t, Config{WebhookURL: hook, WebhookToken: token})
	w := work(t, h, "fleet")
	tip := commit(t, w, "one")
	git(t, w, "push", "-q", "origin", "main")
	first := receive(t, accepted, "webhook")
	await(t, h, event.Delivered)
	_, _, list := visit(t, h.url+"/fleet/webhooks", nil)
	detail := regexp.MustCompile(`/fleet/webhooks/[0-9a-f-]{36}`).FindString(list)
	_, _, page := visit(t, h.url+detail, nil)
	for _, want := range []string{"POST http://127.0.0.1:", "(hidden)", "X-Github-Delivery: " + first.header.Get("X-Github-Delivery"), "X-Hub-Signature-256: (hidden)",
		"&#34;after&#34;: &#34;" + tip, "200 OK", `action="` + detail + `/redeliver"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	press := func(host string, header http.Header) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+detail+"/redeliver", nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			req.Host = host
		}
		for k, v := range header {
			req.Header[k] = v
		}
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Location")
	}
	for name, c := range map[string]struct {
		host   string
		header http.Header
		want   int
	}{
		"a page of others":         {"", http.Header{"Origin": {"http://evil.example"}}, http.StatusForbidden},
		"a page on loopback":       {"", http.Header{"Origin": {"http://127.0.0.1:1"}}, http.StatusForbidden},
		"across sites":             {"", http.Header{"Sec-Fetch-Site": {"cross-site"}}, http.StatusForbidden},
		"a name that is made ours": {"evil.example", http.Header{"Origin": {"http://evil.example"}, "Sec-Fetch-Site": {"same-origin"}}, http.StatusMisdirectedRequest},
	} {
		if status, _ := press(c.host, c.header); status != c.want {
			t.Errorf("%s: %d", name, status)
		}
	}
	status, where := press("", http.Header{"Origin": {h.url}, "Sec-Fetch-Site": {"same-origin"}})
	again := receive(t, accepted, "webhook")
	if status != http.StatusSeeOther || string(again.body) != string(first.body) || again.header.Get("X-Github-Delivery") != first.header.Get("X-Github-Delivery") ||
		again.header.Get("X-Hub-Signature-256") != first.header.Get("X-Hub-Signature-256") {
		t.Errorf("redelivered: %d %s %v", status, again.body, again.header)
	}
	if status, _, page := visit(t, h.url+where, nil); status != http.StatusOK || !strings.Contains(page, "again") || !strings.Contains(page, "✓ delivered") {
		t.Errorf("%s: %d\n%s", where, status, page)
	}
	statuses <- http.StatusBadGateway
	if status, where = press("", nil); status != http.StatusSeeOther {
		t.Errorf("redelivered in vain: %d", status)
	}
	if _, _, page := visit(t, h.url+where, nil); !strings.Contains(page, "✗ failed") || !strings.Contains(page, "502 Bad Gateway") {
		t.Errorf("redelivered in vain:\n%s", page)
	}
	select {
	case extra := <-accepted:
		t.Errorf("sent as well: %s", extra.body)
	default:
	}
}

// TestStrangeTrees shows trees that no working copy could have.
func TestStrangeTrees(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	w := work(t, h, "fleet")
	blob := commitObject(t, w, "blob", "hash-object", "-w", "--stdin")
	tree := commitObject(t, w, "100644 blob "+blob+"\t..\n100644 blob "+blob+"\t.git\n160000 commit "+strings.Repeat("1", 40)+"\tsub\n", "mktree", "--missing")
	outer := commitObject(t, w, "040000 tree "+tree+"\t..\n", "mktree")
	c := git(t, w, "commit-tree", "-m", "strange", outer)
	git(t, w, "push", "-q", "origin", c+":refs/heads/main")
	pages := crawl(t, h.url)
	if body := pages["/fleet/file?path=../.."]; !strings.Contains(body, "blob") {
		t.Errorf("%d pages, and ../.. is\n%s", len(pages), body)
	}
	if body := pages["/fleet/file?path=../sub"]; !strings.Contains(body, "submodule") {
		t.Errorf("../sub is\n%s", body)
	}
}

// commitObject runs a git command that makes an object of in, and returns its hash.
func commitObject(t *testing.T, dir, in string, args ...string) string {
	t.Helper()
	cmd := command(t, dir, args...)
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}
