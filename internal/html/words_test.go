package html

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/locale"
)

// TestWordsOfKinds: the page and the terminal have one Chinese word for a kind of memory, and the page that was built has it.
func TestWordsOfKinds(t *testing.T) {
	source, err := os.ReadFile("web/src/words.js")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(source), "const kinds = {")
	if !ok {
		t.Fatal("words.js has no kinds")
	}
	list, _, _ := strings.Cut(rest, "}")
	page := map[string]string{}
	for _, m := range regexp.MustCompile(`'?([a-z0-9-]+)'?: '([^']+)'`).FindAllStringSubmatch(list, -1) {
		page[m[1]] = m[2]
	}
	words, err := locale.Named("zh")
	if err != nil {
		t.Fatal(err)
	}
	built, known := asset("page.js"), classify.Known()
	wanted := map[string]bool{}
	for _, k := range known.Kinds() {
		h := known.Row(k).Heading
		wanted[h.Word] = true
		if want := words.Word(h.Words.One); page[h.Word] != want {
			t.Errorf("words.js calls %s %q, the terminal %q", h.Word, page[h.Word], want)
		}
		if page[h.Word] != "" && !strings.Contains(built, page[h.Word]) {
			t.Errorf("assets/page.js does not have %q: make web", page[h.Word])
		}
	}
	for word := range page {
		if !wanted[word] {
			t.Errorf("words.js has %s, and no kind is listed so", word)
		}
	}
}
