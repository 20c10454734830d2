// Package locale decides in which language people read, and holds the translations into Chinese.
//
// English is what the source has, and the key. A translation of a format has the same verbs as the format, in the order of
// its own language ("%[2]s"). Words that come finished (the label of a row, a hint, the text of an error) are recognised by
// the format that they were made with: what stands where it has a verb is a name and stays, unless the translation has %v
// there, which stands for words that are known themselves.
//
// It translates nothing that programs read (JSON, exports, what --live writes in the manner of strace), no manual page, and
// knows no plural: Chinese has none.
package locale
