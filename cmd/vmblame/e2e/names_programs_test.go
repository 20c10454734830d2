package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// samplePrograms writes the programs whose frames are judged.
func samplePrograms(t *testing.T, dir string) []sampled {
	t.Helper()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	c, cxx := write("threads.c", threadsProgram), write("templates.cc", templatesProgram)
	command(t, "gcc", "-O2", "-g", "-pthread", "-o", at("threads"), c)
	command(t, "objcopy", "--strip-all", at("threads"), at("threads_stripped"))
	templates := []string{"g++", "-O2", "-g", "-std=c++17", "-o", at("templates"), cxx}
	write("main.go", goProgram)
	write("go.mod", "module sample\n\ngo 1.21\n")
	command(t, "go", "build", "-C", dir, "-buildvcs=false", "-o", at("sample_go"), "main.go")
	command(t, "go", "build", "-C", dir, "-buildvcs=false", "-ldflags=-s -w", "-o", at("sample_go_stripped"), "main.go")
	script := write("work.js", "const o = []; for (let i = 0; i < 4e5; i++) o.push({i, s: 'x' + i, a: [i]});\n"+
		"const m = new Map(o.map(x => [x.s, x])); JSON.parse(JSON.stringify(o)); require('zlib').gzipSync(Buffer.alloc(1e7));\n")
	redis := "redis-server --port 0 --unixsocket " + at("sock") + " --save '' --dir " + dir + " >/dev/null & p=$!; " +
		"until redis-cli -s " + at("sock") + " ping >/dev/null 2>&1; do kill -0 $p || exit 1; done; " +
		"redis-cli -s " + at("sock") + " debug populate 60000 >/dev/null; redis-cli -s " + at("sock") + " shutdown nosave; wait"
	return []sampled{
		{name: "python3", many: true, argv: []string{"/usr/bin/python3", "-c", "import json, ssl, sqlite3, decimal, threading\nx = [bytes(300000) for i in range(300)]\n" +
			"ts = [threading.Thread(target=lambda: [list(range(100000)) for i in range(10)]) for i in range(4)]\n[t.start() for t in ts]\n[t.join() for t in ts]"}},
		{name: "node", many: true, argv: []string{"node", script}},
		{name: "redis", needs: []string{"redis-server", "redis-cli"}, argv: []string{"sh", "-c", redis}},
		{name: "gcc (cc1plus)", many: true, argv: []string{"g++", "-O2", "-std=c++17", "-c", "-o", at("templates.o"), cxx}},
		{name: "stripped C", argv: []string{at("threads_stripped")}, unstripped: at("threads")},
		{name: "stripped C, no dbg", many: true, flags: []string{"--debug-dir="}, argv: []string{at("threads_stripped")}, unstripped: at("threads")},
		{name: "C, no dbg", many: true, flags: []string{"--debug-dir="}, argv: []string{at("threads")}},
		{name: "C++", many: true, build: templates, argv: []string{at("templates")}},
		{name: "Go", argv: []string{at("sample_go")}},
		{name: "stripped Go", many: true, argv: []string{at("sample_go_stripped")}, unstripped: at("sample_go")},
		{name: "Rust", many: true, needs: []string{"rustc"}, argv: []string{filepath.Join(built.progs, "stack_rust")}},
	}
}

const threadsProgram = `
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <locale.h>
#include <dlfcn.h>
#include <netdb.h>
static int compare(const void *a, const void *b) { void *p = malloc(200000); free(p); return *(int *)a - *(int *)b; }
static void *work(void *arg)
{
	char *kept[64];
	for (int i = 0; i < 64; i++) {
		kept[i] = malloc(1 << (10 + i % 12));
		memset(kept[i], 1, 1 << (10 + i % 12));
		if (i % 3 == 0)
			kept[i] = realloc(kept[i], 3 << (10 + i % 12));
	}
	int v[50];
	for (int i = 0; i < 50; i++)
		v[i] = (i * 37) % 50;
	qsort(v, 50, sizeof *v, compare);
	FILE *f = fopen("/etc/passwd", "r");
	char line[400];
	while (f && fgets(line, sizeof line, f))
		;
	if (f)
		fclose(f);
	for (int i = 0; i < 64; i++)
		free(kept[i]);
	return arg;
}
int main(void)
{
	setlocale(LC_ALL, "");
	pthread_t t[8];
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, work, NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	void *h = dlopen("libm.so.6", RTLD_NOW);
	struct addrinfo *a;
	if (getaddrinfo("localhost", NULL, NULL, &a) == 0)
		freeaddrinfo(a);
	work(h);
	return 0;
}
`

const templatesProgram = `
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>
namespace shop {
template <typename T> struct Shelf {
	std::vector<T> items;
	template <typename F> void fill(int n, F make) { for (int i = 0; i < n; i++) items.push_back(make(i)); }
	~Shelf() { items.clear(); items.shrink_to_fit(); }
};
struct Part { std::string name; std::unique_ptr<char[]> blob; Part(int i) : name(i % 60, 'x'), blob(new char[i * 700]) {} };
template <int N> struct Deep { static std::vector<char> make(int n) { auto v = Deep<N - 1>::make(n); v.resize(v.size() * 2); return v; } };
template <> struct Deep<0> { static std::vector<char> make(int n) { return std::vector<char>(n); } };
}
int main()
{
	std::function<std::shared_ptr<shop::Part>(int)> maker = [](int i) { return std::make_shared<shop::Part>(i); };
	shop::Shelf<std::shared_ptr<shop::Part>> shelf;
	shelf.fill(600, maker);
	shop::Shelf<std::map<int, std::string>> maps;
	maps.fill(40, [](int i) { std::map<int, std::string> m; for (int k = 0; k < 900; k++) m[k] = std::string(i, 'y'); return m; });
	auto v = shop::Deep<12>::make(999);
	std::vector<std::thread> threads;
	for (int i = 0; i < 4; i++)
		threads.emplace_back([i] { shop::Shelf<std::string> s; s.fill(30000, [i](int n) { return std::string(n % 300, 'a' + i); });
			std::sort(s.items.begin(), s.items.end(), [](auto &a, auto &b) { return a.size() > b.size(); }); });
	for (auto &t : threads)
		t.join();
	std::regex r("(a|b)*c[0-9]+(x|y)?");
	std::ostringstream o;
	for (int i = 0; i < 40000; i++)
		o << i << ' ';
	try { throw std::runtime_error(o.str().substr(0, 100)); } catch (std::exception &e) { if (std::regex_match(e.what(), r)) return 1; }
	return v.empty();
}
`

const goProgram = `package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"sort"
	"strings"
	"sync"
)

type node[T any] struct {
	value T
	next  *node[T]
}

func push[T any](n *node[T], v T) *node[T] { return &node[T]{v, n} }

func main() {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var list *node[[]byte]
			for i := range 3000 {
				list = push(list, make([]byte, i*(g+1)%9000))
			}
			words := strings.Fields(strings.Repeat("lorem ipsum dolor ", 20000))
			sort.Slice(words, func(i, j int) bool { return words[i] < words[j] })
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			json.NewEncoder(z).Encode(words)
			z.Close()
			regexp.MustCompile("(l|i)+p?").FindAllString(strings.Join(words[:999], " "), -1)
			runtime.GC()
		}()
	}
	wg.Wait()
	fmt.Fprintln(os.Stderr)
}
`
