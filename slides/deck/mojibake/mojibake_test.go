package mojibake

import "testing"

func TestRepair(t *testing.T) {
	for text, want := range map[string]string{
		"âœ… ðŸ«µðŸ™‹": "✅ 🫵🙋", "donâ€™t": "don’t", "â€œaâ€\u009d": "“a”", "cafÃ©": "café", "10Â°": "10°", "“âœ…”": "“✅”",
		"ÐŸÑ€Ð¸Ð²ÐµÑ‚": "Привет", "æ—¥æœ¬": "日本",
		// Nobody should touch these.
		"«Ã»": "«Ã»", "café”…": "café”…", "NESCAFÉ®": "NESCAFÉ®", "Ä±": "Ä±", "naïve – ÄÖÜ ß “x”": "naïve – ÄÖÜ ß “x”", "日本 ✅": "日本 ✅", "À™": "À™",
	} {
		if got := Repair(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
