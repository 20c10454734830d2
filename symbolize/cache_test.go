package symbolize

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// everySo: of the code one address in so many is named, for what a cache does is the same for each.
var everySo = uint64(testenv.Often(25, 5))

// cached names code of f by a cache and says how many addresses were known from before.
func cached(t *testing.T, f string, opts Options) (names map[uint64]string, known int) {
	t.Helper()
	file := open(t, f)
	r := New(opts)
	defer r.Release(file)
	if m := r.cache.names(openImage(file, nil, opts, &r.server)); m != nil {
		known = len(m.known)
	}
	names = make(map[uint64]string)
	r.Resolve(file, textAddrs(t, file, everySo), func(a uint64, s Symbol) { names[a] = fmt.Sprintf("%+v", s) })
	return names, known
}

// TestCache expects the same names from the cache as without, and new ones where anything has changed that they
// depend on.
func TestCache(t *testing.T) {
	dir := t.TempDir()
	opts := nowhere(t)
	path := filepath.Join(dir, "prog")
	run(t, dir, "cp", build(t, "shapes.cc", optimised...), path)
	want, _ := cached(t, path, opts)
	opts.Cache = filepath.Join(dir, "names")
	size := len(textAddrs(t, open(t, path), everySo))
	expect := func(what string, known int) {
		t.Helper()
		got, n := cached(t, path, opts)
		if n != known || !maps.Equal(got, want) {
			t.Errorf("%s: %d addresses were known, want %d; the names are the same: %v", what, n, known, maps.Equal(got, want))
		}
	}
	expect("an empty cache", 0)
	expect("a full cache", size)
	file := filepath.Join(opts.Cache, "00112233445566778899")
	for _, at := range []int64{0, 20, 50, 500} { // of the magic line, the key, the CRC, a name
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[at] ^= 1
		writeFile(t, file, b)
		expect("a broken file", 0)
		expect("and after it", size)
	}
	if err := os.Truncate(file, 1000); err != nil {
		t.Fatal(err)
	}
	expect("a cut file", 0)

	// The same build id: a stripped file, whose names are in a debug file that comes later.
	debug := path + ".debug"
	run(t, dir, "objcopy", "--only-keep-debug", path, debug)
	run(t, dir, "objcopy", "--strip-all", "--add-gnu-debuglink="+debug, path)
	if err := os.Rename(debug, debug+".later"); err != nil {
		t.Fatal(err)
	}
	if got, n := cached(t, path, opts); n != 0 || len(got) >= len(want) {
		t.Errorf("%d of %d addresses of a stripped file were known, %d are named", n, size, len(got))
	}
	if err := os.Rename(debug+".later", debug); err != nil {
		t.Fatal(err)
	}
	expect("a debug file that came later", 0)
	expect("and after it", size)

	// Two at once.
	second := build(t, "shapes.cc", other...)
	whole, _ := cached(t, second, nowhere(t))
	f := open(t, second)
	a, b := New(opts), New(opts)
	addrs := textAddrs(t, f, everySo)
	for i := range 10 {
		a.Resolve(f, addrs[i*len(addrs)/20:(i+1)*len(addrs)/20], func(uint64, Symbol) {})
		b.Resolve(f, addrs[(i+10)*len(addrs)/20:(i+11)*len(addrs)/20], func(uint64, Symbol) {})
	}
	a.Release(f)
	b.Release(f)
	if got, n := cached(t, second, opts); n != len(addrs) || !maps.Equal(got, whole) {
		t.Errorf("of two that wrote at once %d of %d addresses were kept; the names are the same: %v", n, len(addrs), maps.Equal(got, whole))
	}

	// What others can write to is not believed.
	if err := os.Chmod(opts.Cache, 0o777); err != nil {
		t.Fatal(err)
	}
	expect("a directory of all", 0)
}

// TestCacheOfSplitFiles expects none: a .dwo file may be gone next time.
func TestCacheOfSplitFiles(t *testing.T) {
	opts := nowhere(t)
	opts.Cache = t.TempDir()
	path := build(t, "shapes.cc", append(slices.Clone(optimised), "-gsplit-dwarf")...)
	cached(t, path, opts)
	if list, err := os.ReadDir(opts.Cache); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestPrune expects the oldest files to go.
func TestPrune(t *testing.T) {
	c := openCache(t.TempDir())
	if c == nil {
		t.Fatal("a directory of our own is not taken")
	}
	for i := range 10 {
		path := filepath.Join(c.root.Name(), fmt.Sprint(i))
		writeFile(t, path, make([]byte, 1000))
		st, err := os.Stat(path)
		if err == nil {
			err = os.Chtimes(path, st.ModTime(), st.ModTime().AddDate(0, 0, i-20))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c.prune(3500)
	list, err := os.ReadDir(c.root.Name())
	if err != nil || len(list) != 3 || list[0].Name() != "7" {
		t.Errorf("%v, %v", list, err)
	}
}

// FuzzNames reads any bytes as a file of names. What it reads it must write, and read again.
func FuzzNames(f *testing.F) {
	key := sha256.Sum256(nil)
	f.Add(encodeNames(map[uint64]Symbol{1: {}, 2: {Source: "dwarf", Frames: []Frame{{Function: "f", Start: 2, Line: 7, File: "f.c", Inlined: true},
		{Function: "g", LinkageName: "_Z1gv", File: "f.c"}}}, 9: {Source: "symtab-nosize", Approximate: true, Frames: []Frame{{Function: "f"}}}}, key, 1<<20)[len(namesMagic)+len(key)+4:])
	f.Fuzz(func(t *testing.T, body []byte) {
		whole := encodeNames(nil, key, 0)
		names := decodeNames(sealed(append(whole, body...)), key)
		again := decodeNames(encodeNames(names, key, 1<<30), key)
		if !reflect.DeepEqual(names, again) {
			t.Errorf("%+v becomes %+v", names, again)
		}
	})
}
