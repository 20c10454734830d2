// closed_descriptors: says on descriptor 3 which of the descriptors 0 to 2 it finds closed, opens a file, and says which
// descriptor that is. A program that was started with its standard output closed gets 1 for the first file that it opens.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	char said[64];
	int n = snprintf(said, sizeof said, "closed:"), fd;
	for (fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			n += snprintf(said + n, sizeof said - n, " %d", fd);
	n += snprintf(said + n, sizeof said - n, "; the next is %d\n", open("/dev/null", O_RDONLY));
	return write(3, said, n) == n ? 0 : 1;
}
