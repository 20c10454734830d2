// Package unwind finds the return addresses of a stopped x86-64 thread from its registers, its memory and
// the unwind tables of the files that are mapped as code.
//
// For each frame it tries these sources in order, and Frame.How says which one succeeded:
//
//   - .eh_frame by way of .eh_frame_hdr, then .debug_frame of the file and of its separate debug file
//     (DWARF 5 section 6.4, LSB "Exception Frames");
//   - .gopclntab of Go programs, which is there even in a stripped one (runtime/symtab.go);
//   - the code itself, followed from the pc to the function's ret (musl has neither tables nor frame pointers);
//   - the frame pointer, each link checked: it must lie above the frame, and its return address must be
//     code that follows a call instruction;
//   - the word on top of the stack, for a first frame that stands behind the syscall instruction of a
//     function without a frame;
//   - above a function that never returns, the return address into the program's entry code.
//
// A stack that ends early is a result with a reason (End), never an error. Unwind rules of a pc are cached per
// address space (Space), so that a known frame costs about a tenth of a microsecond.
//
// The package does no I/O except through the files and the memory reader it is given; it knows no names, no process
// ids and no ptrace. It never scans the stack for arbitrary words that look like return addresses.
package unwind
