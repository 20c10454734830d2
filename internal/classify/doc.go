// Package classify says what each mapping of an address space is: a segment of an ELF image, a thread's
// stack, a malloc arena, a part of a language runtime. It looks at the mapping itself, at the event that
// made it, at that event's call stack and at what lies beside it, and says for each answer what it rests
// on. It is pure: it reads no file, no process and no log, keeps no state between calls, and knows neither
// sizes in memory nor advice.
package classify
