// Package corefile reads core files of x86-64 Linux programs, as the kernel (fs/binfmt_elf.c, core(5)) and gdb's gcore write
// them: what was mapped, the threads, and the memory that was written out. Of what the file says every count and offset is
// checked; one that is cut, compressed or of another kind is refused.
package corefile
