// Command names measures what it costs to name addresses, beside addr2line, eu-addr2line and gdb:
//
//	names FILE...       a table: time to the first name, time for 10,000, peak memory
//	names -child FILE N names N addresses by package symbolize and prints the times
//	names -units DIR N  writes a C++ program of N compile units
//
// The tools are given the same addresses, spread evenly over the file's .text; a tool that is not installed
// has no column.
package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/symbolize"
)

const many = 10_000

func main() {
	args := os.Args[1:]
	var err error
	switch {
	case len(args) == 3 && args[0] == "-child":
		err = child(args[1], args[2])
	case len(args) == 3 && args[0] == "-units":
		err = units(args[1], args[2])
	case len(args) > 0 && !strings.HasPrefix(args[0], "-"):
		err = table(args)
	default:
		err = fmt.Errorf("usage: names FILE, and more of them")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "names:", err)
		os.Exit(1)
	}
}

// addresses spreads n addresses over the code of a file.
func addresses(path string, n int) ([]uint64, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := f.Section(".text")
	if s == nil {
		return nil, fmt.Errorf("%s: no .text", path)
	}
	var list []uint64
	for i := range uint64(n) {
		list = append(list, s.Addr+s.Size/uint64(n)*i+s.Size/uint64(2*n))
	}
	return list, nil
}

func child(path, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	addrs, err := addresses(path, n)
	if err != nil {
		return err
	}
	begin := time.Now()
	f, err := elffile.OpenPath(path)
	if err != nil {
		return err
	}
	defer f.Close()
	named, lines := 0, 0
	symbolize.New(symbolize.Options{}).Resolve(f, addrs, func(_ uint64, s symbolize.Symbol) {
		named++
		if s.Frames[0].Line > 0 {
			lines++
		}
	})
	fmt.Println(time.Since(begin).Microseconds(), named, lines)
	return nil
}

// cost is what one run of a tool took.
type cost struct {
	wall time.Duration
	peak int64 // KiB
	out  string
	err  error
}

func (c cost) String() string {
	if c.err != nil {
		return "-"
	}
	ms := c.wall.Milliseconds()
	if ms < 10_000 {
		return fmt.Sprintf("%d ms, %d MiB", ms, c.peak>>10)
	}
	return fmt.Sprintf("%d s, %d MiB", ms/1000, c.peak>>10)
}

// tools are the candidates. Each is run for the addresses in the file of that name; debug is the file's
// separate debug file, or the file.
var tools = []struct {
	name string
	argv func(file, debug, list string, n int) []string
}{
	{"vmblame", func(file, _, _ string, n int) []string {
		self, _ := os.Executable()
		return []string{self, "-child", file, strconv.Itoa(n)}
	}},
	{"addr2line -fi", func(_, debug, list string, _ int) []string {
		return []string{"addr2line", "-fi", "-e", debug, "@" + list}
	}},
	{"eu-addr2line -fi", func(file, _, list string, _ int) []string {
		return []string{"sh", "-c", "exec eu-addr2line -fi -e " + file + " <" + list}
	}},
	{"gdb", func(file, _, list string, _ int) []string {
		return []string{"gdb", "-batch", "-nx", "-iex", "set auto-load off", "-x", list + ".gdb", file}
	}},
}

func table(files []string) error {
	fmt.Printf("| file | addresses |")
	for _, t := range tools {
		fmt.Printf(" %s |", t.name)
	}
	fmt.Printf(" named, with a line |\n|---|---|%s---|\n", strings.Repeat("---|", len(tools)))
	dir, err := os.MkdirTemp("", "names-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, file := range files {
		debug := file
		if f, err := elffile.OpenPath(file); err == nil {
			if d, err := f.DebugFile(nil); err == nil {
				debug = d.Name()
			}
			f.Close()
		}
		for _, n := range []int{1, many} {
			if err := row(dir, file, debug, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func row(dir, file, debug string, n int) error {
	addrs, err := addresses(file, n)
	if err != nil {
		return err
	}
	list := filepath.Join(dir, "list")
	var plain, script bytes.Buffer
	for _, a := range addrs {
		fmt.Fprintf(&plain, "%#x\n", a)
		fmt.Fprintf(&script, "info symbol %#x\ninfo line *%#x\n", a, a)
	}
	if err := os.WriteFile(list, plain.Bytes(), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(list+".gdb", script.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Printf("| %s | %d |", filepath.Base(file), n)
	told := ""
	for _, t := range tools {
		c := run(t.argv(file, debug, list, n))
		if again := run(t.argv(file, debug, list, n)); again.wall < c.wall {
			c = again // the first one may have read the disk
		}
		if t.name == "vmblame" {
			if f := strings.Fields(c.out); len(f) == 3 {
				us, _ := strconv.Atoi(f[0])
				c.wall = time.Duration(us) * time.Microsecond
				told = f[1] + ", " + f[2]
			}
		}
		fmt.Printf(" %v |", c)
	}
	fmt.Printf(" %s |\n", told)
	return nil
}

func run(argv []string) cost {
	cmd := exec.Command(argv[0], argv[1:]...)
	var out bytes.Buffer
	if strings.HasSuffix(argv[0], "names") {
		cmd.Stdout = &out
	}
	begin := time.Now()
	err := cmd.Run()
	c := cost{wall: time.Since(begin), out: out.String(), err: err}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && cmd.ProcessState != nil {
		c.peak = usage.Maxrss
	}
	return c
}

// units writes a C++ program of n compile units, each with templates, inlined calls and lambdas of its own.
func units(dir, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	var calls, declarations strings.Builder
	for i := range n {
		fmt.Fprintf(&declarations, "namespace unit%d { long all(long); }\n", i)
		fmt.Fprintf(&calls, "\tsum += unit%d::all(sum);\n", i)
		text := strings.ReplaceAll(unit, "UNIT", fmt.Sprint("unit", i))
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("unit%d.cc", i)), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "main.cc"), []byte(declarations.String()+
		"int main(int argc, char **) {\n\tlong sum = argc;\n"+calls.String()+"\treturn sum == 42;\n}\n"), 0o644)
}

const unit = `namespace UNIT {
template <typename T, int N> struct Array {
	T v[N];
	T &operator[](int i) { return v[i % N]; }
	template <typename F> T fold(T start, F f) { for (T &x : v) start = f(start, x); return start; }
};
template <typename T> struct Node { T value; Node *next; Node(T v, Node *n) : value(v), next(n) {} T sum() const { return value + (next ? next->sum() : T()); } };
template <int N> struct Step {
	static long run(long x) { Array<long, N + 3> a{}; for (int i = 0; i < N; i++) a[i] = Step<N - 1>::run(x + i) ^ i; return a.fold(x, [](long s, long v) { return s * 31 + v; }); }
};
template <> struct Step<0> { static long run(long x) { return x; } };
struct Base { virtual ~Base() {} virtual long act(long x) = 0; };
template <int N> struct Derived : Base { long act(long x) override { Node<long> a(x, nullptr), b(N, &a); return b.sum() + Step<N % 3>::run(x); } };
static inline long twist(long x, int by) { return (x << by) | (x >> (63 - by)); }
__attribute__((noinline)) static long mix(long x) { for (int i = 0; i < 9; i++) x = twist(x, i) + i; return x; }
__attribute__((noinline)) long act(Base &b, long x) { return mix(b.act(x)); }
long all(long x)
{
	Derived<1> a; Derived<2> b; Derived<3> c; Derived<4> d; Derived<5> e; Derived<6> f; Derived<7> g; Derived<8> h;
	Base *list[] = {&a, &b, &c, &d, &e, &f, &g, &h};
	auto each = [&](auto fn) { for (Base *p : list) x = fn(*p, x); };
	each([](Base &b, long x) { return act(b, x); });
	each([](Base &b, long x) { return act(b, x) - mix(x); });
	return x;
}
}
`
