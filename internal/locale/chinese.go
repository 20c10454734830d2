package locale

import (
	"maps"
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/message/catalog"

	"github.com/vmblame/vmblame/internal/text"
)

// zh translates into simplified Chinese; it implements text.Words. It is immutable, and safe for concurrent use.
type zh struct {
	catalog   catalog.Catalog
	exact     map[string]string // finished words that have no names in them
	failed    map[string]string // those of them that say what happened
	templates []template        // of those that have, the most telling first
}

var _ text.Words = (*zh)(nil)

// theChinese is made once, at its first use.
var theChinese = sync.OnceValue(newChinese)

func newChinese() *zh {
	b := catalog.NewBuilder(catalog.Fallback(language.English))
	for key, translation := range entries() {
		// It fails for what is no format of the catalogue's own, of which there is none: a test reads every entry.
		_ = b.SetString(language.SimplifiedChinese, key, translation)
	}
	z := &zh{catalog: b, exact: kindWords(), failed: failures()}
	for _, list := range told() {
		maps.Copy(z.exact, list)
	}
	isLabel := labels()
	for key, translation := range z.exact {
		if t, ok := parseTemplate(key, translation); ok {
			delete(z.exact, key)
			_, t.label = isLabel[key]
			_, t.failure = z.failed[key]
			z.templates = append(z.templates, t)
		}
	}
	sortTemplates(z.templates)
	return z
}

// found is a catalog.Renderer that takes a message as it stands: package fmt fills it in, which writes a pid without commas.
type found struct{ message string }

func (f *found) Render(message string) { f.message = message }

func (f *found) Arg(int) any { return nil }

// Word implements text.Words.
func (z *zh) Word(english string) string {
	var f found
	if err := z.catalog.Context(language.SimplifiedChinese, &f).Execute(english); err != nil {
		return english
	}
	return f.message
}

// Told implements text.Words.
func (z *zh) Told(english string) string {
	words := strings.TrimLeft(english, " ")
	if t, ok := z.tell(words); ok {
		return english[:len(english)-len(words)] + t
	}
	return english
}

// happened translates an error or a note; ok is false for other text.
func (z *zh) happened(words string) (translation string, ok bool) {
	if t, ok := z.failed[words]; ok {
		return t, true
	}
	for i := range z.templates {
		if t := &z.templates[i]; t.failure {
			if args, ok := t.match(words, z.any); ok {
				return t.fill(args), true
			}
		}
	}
	return "", false
}

// any translates words; text that is not known is returned unchanged. ok is always true.
func (z *zh) any(words string) (translation string, ok bool) {
	if t, ok := z.tell(words); ok {
		return t, true
	}
	return words, true
}

// plain translates words without names or numbers in them; ok is false for others.
func (z *zh) plain(words string) (translation string, ok bool) {
	translation, ok = z.exact[words]
	return translation, ok
}

// tell translates complete text; ok is false if it is not known.
func (z *zh) tell(words string) (translation string, ok bool) {
	if t, ok := z.plain(words); ok || words == "" {
		return t, true
	}
	for i := range z.templates {
		t, tell := &z.templates[i], z.tell
		switch {
		case t.label:
			tell = z.plain // a file may be called "a of b"
		case t.failure:
			tell = z.any
		}
		if args, ok := t.match(words, tell); ok {
			return t.fill(args), true
		}
	}
	// In front of what happened may stand to what.
	for at, c := range words {
		if c != ':' || !strings.HasPrefix(words[at:], ": ") {
			continue
		}
		if t, ok := z.happened(words[at+2:]); ok {
			return words[:at] + "：" + t, true
		}
	}
	// Evidence is a list.
	if before, after, ok := strings.Cut(words, "; "); ok {
		a, known := z.tell(before)
		b, too := z.tell(after)
		if known && too {
			return a + "；" + b, true
		}
	}
	return "", false
}
