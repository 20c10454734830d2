package text

import "fmt"

// Words translates text for people. English is nil: the source is written in it, and it is the key to the translations.
// What programs read is never translated.
type Words interface {
	// Word is the translation of a word, a sentence or the format of one, exactly as the source has it; the English
	// where there is none.
	Word(english string) string
	// Told is the translation of words that come finished, as the label of a row: the names in them stay as they are, and
	// so does the whole where nobody knows what it says.
	Told(english string) string
}

// Say is fmt.Sprintf in the language of s.
func (s Style) Say(format string, args ...any) string {
	if s.Words == nil {
		return fmt.Sprintf(format, args...)
	}
	return fmt.Sprintf(s.Words.Word(format), args...)
}

// Word translates a word, or a sentence without verbs, into the language of s.
func (s Style) Word(english string) string {
	if s.Words == nil {
		return english
	}
	return s.Words.Word(english)
}

// Told translates complete text, with names and numbers in it, into the language of s.
func (s Style) Told(english string) string {
	if s.Words == nil || english == "" {
		return english
	}
	return s.Words.Told(english)
}

// Count writes "1 process", "2 processes", in the language of s. A language without a plural has the translation of
// "%d process" alone.
func (s Style) Count(n int, one, many string) string {
	if s.Words == nil {
		return Count(n, one, many)
	}
	if key := "%d " + one; s.Words.Word(key) != key {
		return fmt.Sprintf(s.Words.Word(key), n)
	}
	return Count(n, one, many)
}
