package deck

import (
	"regexp"
	"strings"
	"testing"
)

// quoted is text in a tag that no browser takes for anything else.
var quoted = regexp.MustCompile(`(title|alt)="[^"]*"`)

// show parses a slide and returns its HTML without the heading.
func show(t *testing.T, text string) string {
	t.Helper()
	d := Parse("talk.md", []byte("# Talk\n\n# S\n\n"+text))
	if len(d.Slides) != 2 {
		t.Fatalf("%d slides in %q", len(d.Slides), text)
	}
	return strings.TrimPrefix(d.Slides[1].HTML(HTMLOptions{}), "<h2>S</h2>")
}

func TestHTML(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"lines join", "one\ntwo", "<p>one two</p>"},
		{"hard break", "one  \ntwo", "<p>one<br/>two</p>"},
		{"typography", `"a" -- b...`, "<p>“a” – b…</p>"},
		{"escapes and entities", `\*a\* &copy; &amp;lt; \{:align="right"\}`, "<p>*a* © &amp;lt; {:align=“right”}</p>"},
		{"nested list", "* a\n  * b\n* c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"},
		{"numbers", "3. a\n1. b", `<ol start="3"><li>a</li><li>b</li></ol>`},
		{"definitions", "a\n:   b\n\n    c", "<dl><dt>a</dt><dd>b<p>c</p></dd></dl>"},
		{"table", "|a|b|\n|:-|-:|\n|1|2|", `<table><thead><tr><th class="align-left">a</th><th class="align-right">b</th></tr></thead><tbody><tr><td class="align-left">1</td><td class="align-right">2</td></tr></tbody></table>`},
		{"emoji", ":tada: :not-one:", "<p>🎉 :not-one:</p>"},
		{"marks", "*a* **b** ~~c~~ `d`", "<p><em>a</em> <strong>b</strong> <del>c</del> <code>d</code></p>"},
		{"reference", "[a][b] [b][]\n\n[b]: https://b.test \"t\"", `<p><a href="https://b.test" rel="noopener" target="_blank" title="t">a</a> <a href="https://b.test" rel="noopener" target="_blank" title="t">b</a></p>`},
		{"link to a slide", "[a](#talk)", `<p><a href="#/talk">a</a></p>`},
		{"note in a line", "a {::note}b{:/note}", `<p>a <small class="note">b</small></p>`},
		{"sized text", `{::tag name="x-large"}a{:/tag}`, `<p><span class="x-large">a</span></p>`},
		{"comment", "a\n\n{::comment}\n# not a slide\n{:/comment}\n\nb{::comment}c{:/}d", "<p>a</p><p>bd</p>"},
		{"options", "{::options auto_ids=\"false\" /}\n\na", "<p>a</p>"},
		{"block attributes", "a\n{: .x .y title=\"t\"}", `<p class="x y" title="t">a</p>`},
		{"attributes above", "\n{: .x}\na", `<p class="x">a</p>`},
		{"attributes over lines", "```\na\n```\n{:\n  relative_height=\"60\"\n  .x\n}\n\nb", `<pre class="chroma x" data-height="60"><code>a` + "\n" + `</code></pre><p>b</p>`},
		{"span attributes", "*a*{:.x} [b](#c){: .y}", `<p><em class="x">a</em> <a class="y" href="#/c">b</a></p>`},
		{"item attributes", "* {:.x} a\n* b", `<ul><li class="x">a</li><li>b</li></ul>`},
		{"named attributes", "{:big: .x .y}\n\na\n{: big .z}", `<p class="x y z">a</p>`},
		{"language by attribute", "    a = 1\n{: lang=\"python\"}", `<pre class="chroma" lang="python"><code><span class="n">a</span> <span class="o">=</span> <span class="mi">1</span>` + "\n</code></pre>"},
		{"image", "![x](a%20b.png \"t\"){:width='20' height='30' relative_width=\"50\"}", `<figure class="image" data-width="50"><img src="assets/a%20b.png" alt="x" width="20" height="30"/><figcaption>t</figcaption></figure>`},
		{"image in text", "a ![x](b.png){:align=\"right\"}", `<p>a <img src="assets/b.png" alt="x" class="align-right"/></p>`},
		{"diagram", "~~~ mermaid\ngraph LR\nA-->B\n~~~", `<figure data-diagram="s-1" class="diagram"><pre class="mermaid-source">graph LR` + "\nA--&gt;B\n</pre></figure>"},
		{"diagram by attribute", "~~~\ngraph LR\n~~~\n{: lang=\"mermaid\" relative_height=\"40\"}", `<figure data-diagram="s-1" class="diagram" lang="mermaid" data-height="40"><pre class="mermaid-source">graph LR` + "\n</pre></figure>"},
		{"task list", "* [x] a\n* [ ] b", "<ul><li>☑ a</li><li>☐ b</li></ul>"},
		{"html", "<b>a</b> <div class=\"x\">b", `<p><b>a</b> </p><div class="x">b<p></p></div>`},

		{"wait in items", "* a\n* {::wait/}b\n* c", `<ul><li>a</li><li data-fragment-index="0" class="fragment">b</li><li data-fragment-index="0" class="fragment">c</li></ul>`},
		{"wait in a paragraph", "a {::wait/}b *c {::wait/}d*", `<p>a <span data-fragment-index="0" class="fragment">b <em>c <span data-fragment-index="1" class="fragment">d</span></em></span></p>`},
		{"waits on their own", "a\n\n{::wait/}\n\n{::wait/}\n\nb", `<p>a</p><p data-fragment-index="0" class="fragment">b</p>`},
		{"wait before a diagram", "{::wait/}\n\n```mermaid\ngraph LR\n```", `<figure data-diagram="s-1" data-fragment-index="0" class="diagram fragment"><pre class="mermaid-source">graph LR` + "\n</pre></figure>"},
		{"wait at the end", "a{::wait/}", "<p>a</p>"},
		{"wait in a table", "|a|\n|-|\n|{::wait/}b|", `<table><thead><tr><th>a</th></tr></thead><tbody><tr data-fragment-index="0" class="fragment"><td>b</td></tr></tbody></table>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := show(t, test.text); got != test.want {
				t.Errorf("%q\n got %s\nwant %s", test.text, got, test.want)
			}
		})
	}
}

// Nothing that a deck says can run, leave its slide, or load from elsewhere.
func TestHTMLIsSafe(t *testing.T) {
	bad := []string{"<script", "javascript:", "onerror", "onload", "onclick", "<svg", "<iframe", "<object", "<embed", "<style", "<form", "<input", "<base", "<meta", "<link", "vbscript:", "data:", "<section", "</section", "..", "url(", "expression(", "srcdoc", "formaction", "<math", "data-src", "data-background"}
	for _, text := range []string{
		"<script>alert(1)</script>",
		"<SCRIPT SRC=//evil.test/x.js></SCRIPT>",
		"<scr<script>ipt>alert(1)</script>",
		"a <img src=x onerror=alert(1)> b",
		"<img src=x onerror=\"alert(1)\"//",
		"[a](javascript:alert(1))",
		"[a](JaVaScRiPt:alert(1))",
		"[a](java&#x09;script:alert(1))",
		"[a]( \x01javascript:alert(1))",
		"[a](vbscript:x) [b](data:text/html;base64,PHNjcmlwdD4=)",
		"<a href=\"&#106;avascript:alert(1)\">x</a>",
		"<javascript:alert(1)>",
		"[a][b]\n\n[b]: javascript:alert(1)",
		"<svg onload=alert(1)><script>alert(1)</script></svg>",
		"<svg><style><img src=x onerror=alert(1)></style></svg>",
		"<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
		"<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
		"<object data=x></object><embed src=x><base href=//evil.test><meta http-equiv=refresh content=0><link rel=stylesheet href=x>",
		"<form action=x><input formaction=javascript:alert(1)></form>",
		"<div style=\"background:url(javascript:alert(1))\">x</div>",
		"<div style=\"color:expression(alert(1))\">x</div>",
		"a\n{: style=\"background:url(//evil.test)\" onclick=\"alert(1)\"}",
		"a\n{: title='\"><script>alert(1)</script>'}",
		"a\n{: class='\" onclick=\"alert(1)'}",
		"![a](b.png){: width='1\" onerror=\"alert(1)'}",
		"![\"><script>alert(1)</script>](a.png \"'><script>\")",
		"![](javascript:alert(1).png)",
		"![](data:image/svg+xml;base64,PHN2Zy8+)",
		"![](https://evil.test/pixel.png)",
		"![](//evil.test/pixel.png)",
		"![](../../etc/passwd)",
		"![](..%2f..%2fetc%2fpasswd)",
		"![](%2e%2e/secret.png)",
		"![](/etc/passwd)",
		"![](a/../../b.png)",
		"![](..\\..\\b.png)",
		"<img src=\"../../etc/passwd\"><img src='/etc/passwd'><img data-src=x>",
		"</div></section></section><section data-background-iframe=//evil.test>",
		"<div data-background-iframe=//evil.test data-markdown=//evil.test>x</div>",
		"```mermaid\ngraph LR\nA[\"<script>alert(1)</script>\"]\n```",
		"```html\n<script>alert(1)</script>\n```",
		"```\"><script>alert(1)</script>\nx\n```",
		"<!-- --><script>alert(1)</script><!-- -->",
		"{::nomarkdown}<script>alert(1)</script>{:/}",
		"{::tag name='x\" onclick=\"alert(1)'}a{:/tag}",
	} {
		html := show(t, text)
		// What is shown as text is escaped; only tags can do harm.
		for rest := html; ; {
			_, after, found := strings.Cut(rest, "<")
			if !found {
				break
			}
			tag, next, _ := strings.Cut("<"+after, ">")
			for _, b := range bad {
				// A title or alternative text may say anything.
				if strings.Contains(strings.ToLower(quoted.ReplaceAllString(tag, "")), b) {
					t.Errorf("%q\nleaves %s in\n%s", text, b, html)
				}
			}
			rest = next
		}
	}
}

func TestBrokenSlideStaysAlone(t *testing.T) {
	const next = "<h2>Next</h2><p>fine</p>"
	for name, broken := range map[string]string{
		"fence":          "```mermaid\ngraph LR\nA-->B\n",
		"fence, then":    "```\ncode\n",
		"tilde fence":    "~~~~ sh\necho\n~~~\n",
		"comment":        "{::comment}\nx\n",
		"html comment":   "<!-- x\n",
		"html":           "</div></section><div><table><tr><td>",
		"script":         "<script>\nvar x = `\n",
		"pre":            "<pre>\nx\n",
		"textarea":       "<textarea>\n",
		"attribute list": "a\n{: x=\"\n",
		"tag":            "{::note}\nx\n",
		"emphasis":       "**a _b [c](d",
		"long line":      strings.Repeat("x", slideLimit+1),
		"marks":          strings.Repeat("[", marksLimit+1),
		"bytes":          "\xff\xfe\x00\x80",
		"deep list":      strings.Repeat("- ", 1000) + "x",
		"deep quote":     strings.Repeat("> ", 400) + "x",
	} {
		for _, after := range []string{"\n\n# Next\n\nfine\n", "\n\n# Next\n\nfine\n\n# More\n\n```sh\n# not a slide\n```\n"} {
			d := Parse("talk.md", []byte("# Talk\n\n# Broken\n\n"+broken+after))
			s := d.Slide("next")
			if s == nil || s.HTML(HTMLOptions{}) != next || d.Slide("not-a-slide") != nil {
				t.Errorf("%s: the next slide is %+v", name, s)
			}
			if b := d.Slide("broken"); b == nil || b.HTML(HTMLOptions{}) == "" {
				t.Errorf("%s: the slide itself is gone", name)
			}
		}
	}
}
