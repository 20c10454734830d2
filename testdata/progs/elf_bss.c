// Where an ELF file ends in memory, and what is no ELF file. The program protects the last page of its data and a part of its
// zeroed data, and maps a file that is no ELF with PROT_EXEC (as SBCL maps its core, .NET and Wine images of Windows), with memory of
// its own behind it.
// Right: zeroed data to the end that the program headers tell; the file is a file, and what lies behind it no zeroed data.
#define _GNU_SOURCE
#include "truth.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

char data[16384] = {1};
char zeroed[1 << 20];
extern char edata[], end[];

static char *page(char *p)
{
	return (char *)(((unsigned long)p + 4095) & ~4095ul);
}

int main(void)
{
	int fd = open("image.bin", O_CREAT | O_RDWR | O_TRUNC, 0600);
	char *from = page(edata), *p;
	if (fd < 0 || unlink("image.bin") || write(fd, "MZ no elf", 9) != 9 || ftruncate(fd, 8 << 20))
		return 1;
	zeroed[5] = data[7];
	mprotect(from - 4096, 4096, PROT_READ);
	mprotect(from + (256 << 10), 4096, PROT_READ);
	is(from, page(end) - from, "elf-bss", "zeroed data of elf_bss");
	p = mmap(0, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mmap(p, 4 << 20, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0);
	mmap(p + (4 << 20), 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 4 << 20);
	is(p, 8 << 20, "file", "file: image.bin");
	is(p + (8 << 20), 8 << 20, "direct", "anonymous memory by main");
	p = mmap(0, 8 << 20, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	is(p, 8 << 20, "file", "file: image.bin");
	_exit(0); // the protected page holds what exit would write
}
