// loads: loads, replaces and deletes libraries as its arguments say, one after the other:
//   open=PATH  call=FUNCTION  close  unlink=PATH  rename=FROM:TO  copy=FROM:TO (into the same inode)
//   code=PATH: maps the file whole, executable, and calls what stands at the beginning of its last page
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "loads: %s: %s\n", what, why);
	exit(99);
}

static void copy(const char *from, const char *to)
{
	static char buf[1 << 20];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_TRUNC);
	ssize_t n;
	if (in < 0 || out < 0)
		fail(to, strerror(errno));
	while ((n = read(in, buf, sizeof buf)) > 0)
		if (write(out, buf, n) != n)
			fail(to, strerror(errno));
	close(in);
	close(out);
}

__attribute__((noinline)) static void map_from_code(void)
{
	if (mmap(NULL, 0x77000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		fail("mmap", strerror(errno));
	__asm__ volatile("");
}

static void run_code(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		fail(path, strerror(errno));
	char *image = mmap(NULL, st.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED)
		fail(path, strerror(errno));
	close(fd);
	void (*code)(void (*)(void)) = (void *)(image + ((st.st_size - 1) & ~4095UL));
	code(map_from_code);
	munmap(image, st.st_size);
}

int main(int argc, char **argv)
{
	void *lib = NULL;
	for (int i = 1; i < argc; i++) {
		char *value = strchr(argv[i], '='), *to = NULL;
		if (value)
			*value++ = 0;
		if (value && (to = strchr(value, ':')))
			*to++ = 0;
		if (!strcmp(argv[i], "open")) {
			if (!(lib = dlopen(value, RTLD_NOW)))
				fail(value, dlerror());
		} else if (!strcmp(argv[i], "close")) {
			dlclose(lib);
		} else if (!strcmp(argv[i], "call")) {
			void *(*f)(void) = dlsym(lib, value);
			if (!f || f() == MAP_FAILED)
				fail(value, "cannot be called");
		} else if (!strcmp(argv[i], "unlink")) {
			if (unlink(value))
				fail(value, strerror(errno));
		} else if (!strcmp(argv[i], "rename")) {
			if (rename(value, to))
				fail(value, strerror(errno));
		} else if (!strcmp(argv[i], "copy")) {
			copy(value, to);
		} else if (!strcmp(argv[i], "code")) {
			run_code(value);
		} else {
			fail(argv[i], "unknown");
		}
	}
	return 0;
}
