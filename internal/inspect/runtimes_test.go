package inspect

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// bytesOf adds up the parts of a kind, those that can be written alone where usable is set.
func bytesOf(l *Live, found []classify.Finding, kind classify.Kind, detail string, usable bool) (n uint64) {
	for _, f := range found {
		if f.Kind != kind || detail != "" && f.Detail != detail {
			continue
		}
		for _, p := range f.Parts {
			if !usable || l.row(p.Start).Perms&vm.Write != 0 {
				n += p.Len()
			}
		}
	}
	return n
}

// number returns the number that a line of a program's has behind a word.
func number(t *testing.T, said []string, word string) uint64 {
	t.Helper()
	for _, s := range said {
		if rest, ok := strings.CutPrefix(s, word+" "); ok {
			n, err := strconv.ParseUint(rest, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %q in %q", word, said)
	return 0
}

// TestPHP: chunks and huge blocks are as much as memory_get_usage(true) says.
func TestPHP(t *testing.T) {
	testenv.Need(t, "php")
	said, l, found := command(t, "php", "-n", "-r", `
		$kept = []; for ($i = 0; $i < 200000; $i++) $kept[] = "x$i";
		$huge = str_repeat("y", 5000000); $dropped = str_repeat("z", 9000000); unset($dropped);
		echo "usage ", memory_get_usage(true), "\nready\n";
		fgets(STDIN);`)
	got := bytesOf(l, found, classify.PHP, "chunk", false) + bytesOf(l, found, classify.PHP, "huge block", false)
	if want := number(t, said, "usage"); got != want || bytesOf(l, found, classify.PHP, "huge block", false) < 5000000 {
		t.Errorf("%d bytes found, PHP says %d", got, want)
	}
}

// TestGuile: the sections of bdwgc's heap are as much as the collector says.
func TestGuile(t *testing.T) {
	testenv.Need(t, "guile")
	said, l, found := command(t, "guile", "--no-auto-compile", "-c", `
		(use-modules (ice-9 rdelim))
		(define kept (make-vector 2000000 1))
		(gc)
		(format #t "heap ~a\nready\n" (assq-ref (gc-stats) 'heap-size))
		(force-output)
		(read-line)
		(exit (if (= (vector-length kept) 2000000) 0 1))`)
	if got, want := bytesOf(l, found, classify.BDWGC, "", false), number(t, said, "heap"); got != want {
		t.Errorf("%d bytes of sections, Guile says %d", got, want)
	}
}

// TestLuaJIT: what the program has beside its files and what the loader has is LuaJIT's, as much as was asked for at
// least, and not what another part of the program mapped by itself.
func TestLuaJIT(t *testing.T) {
	testenv.Need(t, "luajit")
	said, l, found := command(t, "luajit", "-e", `
		local ffi = require("ffi")
		ffi.cdef[[void *mmap(void *, size_t, int, int, int, long);]]
		local mine = ffi.C.mmap(nil, 8388608, 3, 0x22, -1, 0)
		ffi.fill(mine, 8388608, 1)
		local t = {}
		for i = 1, 300000 do t[i] = {i} end
		print("mine " .. string.format("%x", tonumber(ffi.cast("uintptr_t", mine))))
		print("heap " .. string.format("%d", collectgarbage("count") * 1024))
		print("ready") io.stdout:flush() io.read("*a")`)
	got, want := bytesOf(l, found, classify.LuaJIT, "", true), number(t, said, "heap")
	if got < want || got > want+want/2 {
		t.Errorf("%d bytes found, LuaJIT counts %d", got, want)
	}
	var claims rangeSet
	for _, f := range found {
		for _, p := range f.Parts {
			claims.add(p.Range)
		}
	}
	lines(said, "mine %x", func(scan func(...any)) {
		var at uint64
		scan(&at)
		if r := vm.RangeOf(at, 8<<20); claims.overlaps(r) {
			t.Errorf("%v is the program's own", r)
		}
	})
	for i := range l.Rows {
		if e := &l.Rows[i]; e.File.Path == "" && e.Perms&vm.Exec != 0 && anonymous(e) && bytesOf(l, found, classify.LuaJIT, "machine code", false) == 0 {
			t.Errorf("%v is no machine code", e.Range)
		}
	}
}

// TestMimalloc: all blocks lie in segments, and what the program mapped does not.
func TestMimalloc(t *testing.T) {
	testenv.Need(t, "libmimalloc.so")
	said, l, found := preloaded(t, "LD_PRELOAD=libmimalloc.so.2")
	held(t, said, found, classify.Mimalloc)
	var unknown uint64
	var claims rangeSet
	for _, f := range found {
		for _, p := range f.Parts {
			claims.add(p.Range)
		}
	}
	for i := range l.Rows {
		if e := &l.Rows[i]; private(e) && e.File.Path == "" {
			for _, r := range claims.free(e.Range) {
				unknown += r.Len()
			}
		}
	}
	if unknown > 3<<20+64<<10 {
		t.Errorf("%d bytes are unknown beside the program's own 3 MiB", unknown)
	}
}

// preloaded runs memory_blocks with another allocator.
func preloaded(t *testing.T, env ...string) ([]string, *Live, []classify.Finding) {
	t.Helper()
	return program(t, "memory_blocks", append([]string{"env"}, env...)...)
}

// TestTCMalloc: all blocks lie in spans, which are as much as tcmalloc says beside what of it is the program break, and what
// the program mapped does not.
func TestTCMalloc(t *testing.T) {
	testenv.Need(t, "libtcmalloc.so")
	for name, argv := range map[string][]string{
		"preloaded":         {"env", "LD_PRELOAD=libtcmalloc_minimal.so.4", "TCMALLOC_SKIP_SBRK=1", "memory_blocks"},
		"of many gigabytes": {"env", "LD_PRELOAD=libtcmalloc_minimal.so.4", "TCMALLOC_SKIP_SBRK=1", "memory_blocks", "12"},
		"static":            {"env", "TCMALLOC_SKIP_SBRK=1", "memory_blocks_tcmalloc"},
	} {
		t.Run(name, func(t *testing.T) {
			at := slices.IndexFunc(argv, func(s string) bool { return strings.HasPrefix(s, "memory_") })
			said, l, found := program(t, argv[at], argv[:at]...)
			for i := range l.Rows { // what it has of the program break
				if e := &l.Rows[i]; e.File.Path == "[heap]" {
					found = append(found, classify.Finding{Kind: classify.TCMalloc, Detail: "heap", Parts: []classify.Part{{Range: e.Range}}})
				}
			}
			held(t, said, found, classify.TCMalloc)
			system, heap := number(t, said, "system"), bytesOf(l, found, classify.TCMalloc, "heap", false)
			if got := bytesOf(l, found, classify.TCMalloc, "", false); got-heap > system || got < system {
				t.Errorf("%d bytes found, tcmalloc says %d, with a part of the program break's %d", got, system, heap)
			}
			if name == "of many gigabytes" && bytesOf(l, found, classify.TCMallocOwn, "", false)%tcMetadata != 0 {
				t.Errorf("%d bytes of metadata", bytesOf(l, found, classify.TCMallocOwn, "", false))
			}
		})
	}
}

// TestGHC: what of the heap can be accessed is what the runtime says that it has.
func TestGHC(t *testing.T) {
	testenv.Optional(t, "ghc")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Kept.hs"), []byte(`import GHC.Stats
import System.IO
import System.Mem
main = do
  let kept = [show i | i <- [1 .. 200000 :: Int]]
  length (concat kept) `+"`seq`"+` performGC
  s <- getRTSStats
  putStrLn ("use " ++ show (gcdetails_mem_in_use_bytes (gc s)) ++ "\nready")
  hFlush stdout
  getContents >>= putStr
  print (last kept)
`), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ghc", "-v0", "-rtsopts", "Kept.hs")
	cmd.Dir = dir
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if b, err := exec.Command("strip", "-o", filepath.Join(dir, "Stripped"), filepath.Join(dir, "Kept")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	for _, name := range []string{"Kept", "Stripped"} {
		said, l, found := command(t, filepath.Join(dir, name), "+RTS", "-T")
		if got, want := bytesOf(l, found, classify.GHC, "", true), number(t, said, "use"); got != want || bytesOf(l, found, classify.GHC, "", false) < 1<<40 {
			t.Errorf("%d bytes, the runtime says %d", got, want)
		}
	}
}

// held fails the test unless all blocks that the program says it has lie in findings of the kind, and what it mapped itself
// in none at all.
func held(t *testing.T, said []string, found []classify.Finding, kind classify.Kind) {
	t.Helper()
	var own, all rangeSet
	for _, f := range found {
		for _, p := range f.Parts {
			all.add(p.Range)
			if f.Kind == kind {
				own.add(p.Range)
			}
		}
	}
	n, missing := 0, 0
	n += lines(said, "block %x %x", func(scan func(...any)) {
		var r vm.Range
		scan(&r.Start, &r.End)
		if len(own.free(r)) > 0 {
			missing++
		}
	})
	if n == 0 || missing > 0 {
		t.Errorf("%d of %d blocks are in no %s", missing, n, kind)
	}
	lines(said, "mine %x %x", func(scan func(...any)) {
		var r vm.Range
		scan(&r.Start, &r.End)
		if all.overlaps(r) {
			t.Errorf("%v is the program's own", r)
		}
	})
}

// TestSBCL: the dynamic space is as long as SBCL says, and an object of it lies in it.
func TestSBCL(t *testing.T) {
	testenv.Need(t, "sbcl")
	said, _, found := command(t, "sbcl", "--noinform", "--disable-debugger", "--no-userinit", "--eval", `
		(progn (defvar *kept* (make-array 2000000 :initial-element 7))
		  (format t "~&begin ~d~%size ~d~%object ~d~%ready~%" sb-vm:dynamic-space-start (sb-ext:dynamic-space-size)
		    (sb-kernel:get-lisp-obj-address *kept*))
		  (finish-output)
		  (read-line *standard-input* nil)
		  (sb-ext:exit :code 0 :abort t))`)
	begin, size, object := number(t, said, "begin"), number(t, said, "size"), number(t, said, "object")
	ok := false
	for _, f := range found {
		if f.Kind == classify.SBCL && f.Detail == "dynamic space" {
			p := f.Parts[len(f.Parts)-1]
			ok = p.End == begin+size && p.Contains(object)
		}
	}
	if !ok {
		t.Errorf("dynamic space %x, %d bytes with %x, is not among %v", begin, size, object, found)
	}
}

// TestBEAM: the carriers that are mapped are as much as Erlang's allocators say, but for one that came or went.
func TestBEAM(t *testing.T) {
	testenv.Need(t, "erl")
	said, l, found := command(t, "erl", "-noshell", "-eval", `
		put(x, [lists:seq(1, 300000), [binary:copy(<<"x">>, 100000) || _ <- lists:seq(1, 100)]]),
		erlang:garbage_collect(),
		io:format("carriers ~w~nready~n", [lists:sum([N || A <- erlang:system_info(alloc_util_allocators),
			L <- [erlang:system_info({allocator, A})], is_list(L), {instance, _, I} <- L, {_, P} <- I, is_list(P), {mseg_alloc_carriers_size, N} <- P])]),
		io:get_line(""), halt(0).`)
	const carrier = 2 << 20 // one that is made or given back while the two are asked
	got, want := bytesOf(l, found, classify.BEAM, "carrier", false), number(t, said, "carriers")
	if got+carrier < want || got > want+carrier || got < 10<<20 {
		t.Errorf("%d bytes of carriers, Erlang says %d", got, want)
	}
	if n := bytesOf(l, found, classify.BEAM, "literals", false); n < 512<<20 {
		t.Errorf("%d bytes for literals", n)
	}
}

// TestBEAMKept: what records that form a ring have is kept for new carriers, as long as each leads to the next one and back, and to
// memory that is there.
func TestBEAMKept(t *testing.T) {
	const from, segments = 0x10000000, 0x7f0000000000
	memory := flat{from, make([]byte, 64<<10)}
	p := &Process{Memory: memory, Rows: []vm.SmapsEntry{
		{Mapping: vm.Mapping{Range: vm.RangeOf(from, 64<<10), Perms: vm.Read | vm.Write, File: vm.File{Path: "[heap]"}}},
		{Mapping: vm.Mapping{Range: vm.RangeOf(segments, 1<<20), Perms: vm.Read | vm.Write}}}}
	records := [][4]uint64{ // of two segments, of the ring's head, and one that is free
		{0x20000, segments, from + 0x120, from + 0x140}, {0x40000, segments + 0x20000, from + 0x140, from + 0x100},
		{0, 0, from + 0x100, from + 0x120}, {0, 0, from + 0x160, from + 0x160}}
	for _, x := range []struct {
		record, word int
		value        uint64
		want         uint64
	}{{0, 0, 0x20000, 0x60000}, {0, 0, 0x20008, 0x40000}, {0, 0, 2 << 20, 0x40000}, {0, 2, from + 0x140, 0}, {1, 2, from + 0x8000, 0x20000}, {0, 1, 0, 0x40000}} {
		for i, record := range records {
			if i == x.record {
				record[x.word] = x.value
			}
			for k, w := range record {
				binary.LittleEndian.PutUint64(memory.b[0x100+32*i+8*k:], w)
			}
		}
		l := &look{Process: p, reader: newReader(memory, segments+1<<20, usual)}
		l.beamKept()
		if got := bytesOf(&Live{Process: *p}, l.list, classify.BEAM, "carrier kept for reuse", false); got != x.want {
			t.Errorf("with %#x in word %d of record %d: %#x bytes, want %#x", x.value, x.word, x.record, got, x.want)
		}
	}
}

// TestASan: the shadow of what the program has lies in the shadow, and what it has in the sanitizer's heap.
func TestASan(t *testing.T) {
	said, _, found := program(t, "memory_asan")
	held(t, said, found, classify.Sanitizer)
}

// TestJavaScriptCore: a structure lies where the heap of structures is said to be, objects in libpas's blocks, and the Gigacage and
// the memory for code are there, too. What libpas counts that it has mapped is not believed where it is not what it lists.
func TestJavaScriptCore(t *testing.T) {
	testenv.Optional(t, "jsc")
	said, l, found := command(t, "jsc", "-e", `var kept = []; for (var i = 0; i < 100000; i++) kept.push({i: i});
		print(describe({a: 1}).replace(/.*Structure (0x[0-9a-f]+).*/, "structure $1"));
		for (var i = 0; i < 100000; i += 9999) print(describe(kept[i]).replace(/.*?(0x[0-9a-f]+).*/, "object $1"));
		print("ready"); readline()`)
	parts := map[string]vm.Range{}
	var blocks rangeSet
	for _, f := range found {
		if f.Kind == classify.JavaScriptCore {
			parts[f.Detail] = vm.Range{Start: f.Parts[0].Start, End: f.Parts[len(f.Parts)-1].End}
			if f.Detail == "blocks" {
				blocks.put(parts[f.Detail])
			}
		}
	}
	n := lines(said, "structure %v", func(scan func(...any)) {
		var at uint64
		scan(&at)
		if !parts["heap of structures"].Contains(at) {
			t.Errorf("the structure at %x is not in %v", at, parts)
		}
	})
	if n != 1 || parts["Gigacage"].Len() < 32<<30 || parts["code"].Len() < 64<<20 || parts["records"].Len() != 128<<20 {
		t.Errorf("%v, %q", parts, said)
	}
	n = lines(said, "object %v", func(scan func(...any)) {
		var at uint64
		scan(&at)
		if !blocks.overlaps(vm.RangeOf(vm.PageDown(at), 1)) {
			t.Errorf("the object at %x is not in %v", at, blocks.ranges())
		}
	})
	if n != 11 {
		t.Errorf("%d objects in %q", n, said)
	}
	k := &look{Process: &l.Process, reader: newReader(l.Memory, vm.AddressMax, usual)}
	k.openImages()
	counted := k.image2(isJavaScriptCore).exported("pas_page_malloc_num_allocated_bytes")
	for _, f := range k.opened {
		f.Close()
	}
	lies := l.Process
	lies.Memory = lie{l.Memory, counted, 1 << 20}
	if n := bytesOf(l, Look(&lies), classify.JavaScriptCore, "blocks", false); n != 0 {
		t.Errorf("%d bytes of blocks, though libpas counts others", n)
	}
}

// lie is memory that has another word at an address.
type lie struct {
	Memory
	at, word uint64
}

func (m lie) ReadPages(p []byte, addr uint64) int {
	n := m.Memory.ReadPages(p, addr)
	if addr <= m.at && m.at+8 <= addr+uint64(n) {
		binary.LittleEndian.PutUint64(p[m.at-addr:], m.word)
	}
	return n
}

// TestMono: what is found is as much as the collector says that is in use, at least, and not much more.
func TestMono(t *testing.T) {
	testenv.Optional(t, "mono", "mcs")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Kept.cs"), []byte(`using System; using System.Collections.Generic;
class Kept { static List<byte[]> kept = new List<byte[]>(); static List<object> objects = new List<object>();
 static void Main() { for (int i = 0; i < 40000; i++) kept.Add(new byte[500]); for (int i = 0; i < 300000; i++) objects.Add(new object());
  var big = new byte[20 << 20]; big[0] = 1; kept.Add(big); GC.Collect();
  Console.WriteLine("total " + GC.GetTotalMemory(false)); Console.WriteLine("ready"); Console.Out.Flush(); Console.In.ReadLine(); } }`), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mcs", "Kept.cs")
	cmd.Dir = dir
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	said, l, found := command(t, "mono", filepath.Join(dir, "Kept.exe"))
	total, got := number(t, said, "total"), bytesOf(l, found, classify.Mono, "", false)-bytesOf(l, found, classify.Mono, "card tables", false)
	if got < total*9/10 || got > total*3/2 || bytesOf(l, found, classify.Mono, "large object", false) < 20<<20 || bytesOf(l, found, classify.Mono, "nursery", false) < 1<<20 {
		t.Errorf("%d bytes found, Mono counts %d: %v", got, total, found)
	}
	code := func(l *Live) (n uint64) {
		for i := range l.Rows {
			if e := &l.Rows[i]; e.File.Path == "" && private(e) && e.Perms&vm.Exec != 0 {
				n += e.Len()
			}
		}
		return n
	}
	// It compiles what reads its next line, too.
	for tries := 0; bytesOf(l, found, classify.Mono, "code", false) != code(l) && tries < 20; tries++ {
		again, err := OpenLive(l.PID)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		l, found = again, Look(&again.Process)
	}
	if got := bytesOf(l, found, classify.Mono, "code", false); got != code(l) || got == 0 {
		t.Errorf("%d bytes of code, the rows have %d", got, code(l))
	}
}

// flat is memory that is all there, from an address on.
type flat struct {
	from uint64
	b    []byte
}

func (f flat) ReadPages(p []byte, addr uint64) int { return copy(p, f.b[addr-f.from:]) }

func (f flat) Resident(r vm.Range) func(yield func(vm.Range) bool) {
	return func(yield func(vm.Range) bool) { yield(r) }
}

// TestMonoCode: of a row that can be executed what a record in malloc's memory has is code, and where no record has its length
// nothing is.
func TestMonoCode(t *testing.T) {
	const from, code = 0x7f0000000000, 0x40000000
	memory := flat{from, make([]byte, 64<<10)}
	p := &Process{Memory: memory, Rows: []vm.SmapsEntry{
		{Mapping: vm.Mapping{Range: vm.RangeOf(code, 128<<10), Perms: vm.Read | vm.Write | vm.Exec}},
		{Mapping: vm.Mapping{Range: vm.RangeOf(from, 64<<10), Perms: vm.Read | vm.Write, File: vm.File{Path: "[heap]"}}}}}
	for _, x := range []struct {
		next, word uint64
		want       []vm.Range
	}{
		{0, 64<<10<<32 | 0x2000, []vm.Range{vm.RangeOf(code, 64<<10)}},
		{from, 128<<10<<32 | 0x2000, []vm.Range{vm.RangeOf(code, 128<<10)}},
		{0, 256<<10<<32 | 0x2000, nil}, // longer than the row
		{0, 64<<10<<32 | 64<<10 + 1, nil},
		{0, 0x1234<<32 | 0x100, nil},
		{5, 64<<10<<32 | 0x2000, nil},
		{0, 0x2000, nil},
	} {
		for i, w := range [...]uint64{code, x.next, x.word} {
			binary.LittleEndian.PutUint64(memory.b[0x100+8*i:], w)
		}
		l := &look{Process: p, reader: newReader(memory, from+64<<10, usual)}
		var got []vm.Range
		l.monoCode(func(_, _ string, r vm.Range) { got = append(got, r) })
		if !slices.Equal(got, x.want) {
			t.Errorf("a record of %#x and %#x: %v, want %v", x.next, x.word, got, x.want)
		}
	}
}

// TestMonoLookalikes: what only looks like a large object is none, and of a row blocks are no more than what the list
// has, unless all pieces of the row have one.
func TestMonoLookalikes(t *testing.T) {
	const from = 0x7f0000000000
	memory := flat{from, make([]byte, 4<<20)}
	p := &Process{Memory: memory, Rows: []vm.SmapsEntry{{Mapping: vm.Mapping{Range: vm.RangeOf(from, 4<<20), Perms: vm.Read | vm.Write}}}}
	l := &look{Process: p}
	large := func(at, size uint64) (n int) {
		for i, w := range [...]uint64{0, size, 0, from} {
			binary.LittleEndian.PutUint64(memory.b[at+8*uint64(i):], w)
		}
		l.reader = newReader(memory, from+4<<20, usual)
		l.monoLarge(from+at, func(_, _ string, r vm.Range) { n++ })
		return n
	}
	for _, x := range [...]struct {
		at, size uint64
		want     int
	}{{0x40, 2<<20 - 128, 1}, {0x1000, 8192, 0}, {0x2100, 2<<20 - 128, 0}, {0x3000, 8 << 20, 0}} {
		if got := large(x.at, x.size); got != x.want {
			t.Errorf("%d bytes at %#x: %d large objects, want %d", x.size, x.at, got, x.want)
		}
	}

	var blocks rangeSet
	for i := range uint64(8) {
		b := vm.RangeOf(from+i*monoBlocks+i*monoBlock, monoBlock)
		blocks.put(b)
		want := []vm.Range{p.Rows[0].Range}
		if i < 7 {
			want = blocks.ranges()
		}
		if got := l.monoRows(&blocks); !slices.Equal(got, want) {
			t.Errorf("after %d blocks %v, want %v", i+1, got, want)
		}
	}
}
