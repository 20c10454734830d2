// memory_lies_runtimes: what runtimes are known by, in a program that exports the names of several: pages of V8, Zend's chunks,
// jemalloc's blocks, a Go map of arenas, CPython's interpreter, bdwgc's sections, SBCL's spaces, with sizes of 2^63, lists that
// loop and counts without end.
#define _GNU_SOURCE
#include "lies.h"
#include <string.h>

const char jemalloc[] = "<jemalloc>: ";
int v8dbg_frametype_EntryFrame = 1;
uint64_t _PyRuntime[1024], GC_arrays[8192];
uint64_t DYNAMIC_SPACE_START, dynamic_space_size = 1UL << 63, FIXEDOBJ_SPACE_START;
uint64_t erts_literals_start, erts_literals_size = 1UL << 63;
uint64_t zend_heap[64], ring[64];
const uint64_t gHotSpotVMStructEntryArrayStride = 0, gHotSpotVMStructEntryTypeNameOffset = 1UL << 63, gHotSpotVMStructEntryFieldNameOffset = 8,
	gHotSpotVMStructEntryIsStaticOffset = 24, gHotSpotVMStructEntryOffsetOffset = 32, gHotSpotVMStructEntryAddressOffset = 40;
uint64_t *gHotSpotVMStructs = ring;

int main(void)
{
	for (int i = 0; i < 64; i++)
		ring[i] = (uintptr_t)&ring[(i + 1) % 64];

	char *v8 = (char *)own(256 << 10, 4 << 20); // pages of 2^63 bytes, of none, and such that lie in each other
	for (int i = 0; i < 16; i++) {
		uint64_t *p = (uint64_t *)(v8 + i * (256 << 10));
		p[0] = i < 8 ? 1UL << 63 : i < 12 ? 0 : 8 << 20;
		p[2] = (uintptr_t)ring, p[3] = (uintptr_t)p + 4096, p[4] = (uintptr_t)p + p[0];
	}

	char *zend = (char *)own(2 << 20, 16 << 20); // chunks that lead to each other and never to the first
	for (int i = 0; i < 8; i++) {
		uint64_t *p = (uint64_t *)(zend + i * (2 << 20));
		p[0] = (uintptr_t)zend_heap, p[1] = (uintptr_t)(zend + (1 + i % 7) * (2 << 20)), p[2] = (uintptr_t)zend;
	}
	for (int i = 0; i < 64; i++)
		zend_heap[i] = (uintptr_t)zend + 8 * i;

	uint64_t *j = own(2 << 20, 8 << 20); // blocks that are longer than all, and one that says that nothing of it is used
	j[0] = 1UL << 63, j[3] = (uintptr_t)j, j[4] = 1UL << 63;
	j += (2 << 20) / 8;
	j[0] = 1UL << 40, j[3] = (uintptr_t)j, j[4] = 1UL << 40;

	uint64_t *go = own(64 << 20, 32 << 20); // a map whose words lead to itself
	for (int i = 0; i < (32 << 20) / 8; i += 512)
		go[i + i / 512 % 512] = (uintptr_t)go;

	for (int i = 0; i < 1024; i++)
		_PyRuntime[i] = (uintptr_t)&_PyRuntime[(i + 7) % 1024];
	uint64_t *gc = own(4096, 1 << 20);
	for (int i = 0; i < 8192; i++)
		GC_arrays[i] = i % 2 ? 1UL << 63 : (uintptr_t)gc;
	DYNAMIC_SPACE_START = erts_literals_start = FIXEDOBJ_SPACE_START = (uintptr_t)gc;
	return jemalloc[0] != '<' || ready();
}
