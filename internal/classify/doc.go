// Package classify says what each mapping of an address space is: a segment of an ELF image, a thread's
// stack, a malloc arena, a part of a language runtime. It looks at the mapping itself, at the event that
// made it, at that event's call stack and at what lies beside it, and says for each answer what it rests
// on. Its catalogue holds all that is known of each kind and of those who map it: words, settings, advice,
// functions. It is pure: it reads no file, no process and no log, and keeps no state between calls.
package classify
