package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// testProgram is a program of testdata that waits for its standard input to close.
func testProgram(name string) func(*world) []string {
	return func(w *world) []string { return []string{filepath.Join(built.progs, name)} }
}

func words(argv ...string) func(*world) []string {
	return func(*world) []string { return argv }
}

// own is what a program mapped for itself: memory does not tell.
var own = kinds(classify.Direct, classify.Reserved, classify.Unknown)

// subjects are the programs of the table in docs/kinds.md.
var subjects = []subject{
	{name: "C, glibc, threads and arenas", small: true, argv: testProgram("memory_malloc")},
	{name: "C, musl, static", small: true, many: true, needs: []string{"musl-gcc"}, argv: testProgram("memory_musl"), truth: func(h *truth, w *world) {
		for i := range h.rows { // what is of none of the lines is malloc's
			if e := &h.rows[i]; e.File.Path == "" {
				h.claim("the program", e.Start, e.End, classify.MuslMalloc)
			}
		}
		h.files()
		h.said(w.said, "mine", own...)
		for _, line := range w.said {
			var tid int
			var start, end uint64
			if n, _ := fmt.Sscanf(line, "stack %d %x %x", &tid, &start, &end); n == 3 {
				// The control block and the thread's local storage stand above it, up to the row's end.
				if e := h.row(start); e.Start == start && e.End-end <= 2*vm.PageSize {
					end = e.End
				}
				end = vm.PageUp(end)
				h.claim("pthread_getattr_np", start, end, classify.ThreadStack)
				if e := h.row(start - 1); e != nil && e.Perms == 0 {
					h.claim("pthread_getattr_np", e.Start, e.End, classify.StackGuard)
				}
			}
		}
	}},
	{name: "C, coroutines", small: true, many: true, argv: testProgram("memory_coroutines"), truth: func(h *truth, w *world) {
		for _, word := range []string{"stack", "ended", "fresh"} {
			h.said(w.said, word, classify.CoroutineStack)
		}
		h.said(w.said, "guard", classify.StackGuard)
		h.said(w.said, "mine", own...)
		h.said(w.said, "slice", classify.CoroutineStack, classify.Direct) // who mapped it is known by run, and what for is not
	}},
	{name: "Go, static", small: true, argv: testProgram("memory_go"), truth: goTruth},
	{name: "Go, static, stripped", argv: testProgram("memory_go_stripped"), truth: goTruth},
	{name: "Go, cgo", small: true, many: true, argv: func(w *world) []string {
		src := filepath.Join("..", "..", "..", "testdata", "progs", "memory_go", "main.go")
		text, err := os.ReadFile(src)
		if err != nil {
			w.t.Fatal(err)
		}
		text = []byte(strings.Replace(string(text), "import (", "import \"C\"\nimport (", 1))
		for name, text := range map[string][]byte{"main.go": text, "go.mod": []byte("module memory_cgo\n\ngo 1.24\n")} {
			if err := os.WriteFile(filepath.Join(w.dir, name), text, 0o644); err != nil {
				w.t.Fatal(err)
			}
		}
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", "memory_cgo", ".")
		cmd.Dir, cmd.Env = w.dir, append(os.Environ(), "CGO_ENABLED=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			w.t.Fatalf("%v\n%s", err, out)
		}
		return []string{filepath.Join(w.dir, "memory_cgo")}
	}, truth: goTruth},
	{name: "C, AddressSanitizer", small: true, many: true, argv: testProgram("memory_asan"), env: []string{"ASAN_OPTIONS=verbosity=1"}, truth: func(h *truth, w *world) {
		n := 0
		for _, m := range regexp.MustCompile("\\[(0x[0-9a-f]+), (0x[0-9a-f]+)\\]` \\|\\| (HighShadow|ShadowGap|LowShadow)").FindAllStringSubmatch(w.stderr(), -1) {
			start, _ := strconv.ParseUint(m[1], 0, 64)
			end, _ := strconv.ParseUint(m[2], 0, 64)
			h.claim("ASan's "+m[3]+" ||", start, end+1, classify.Sanitizer)
			n++
		}
		if n != 3 {
			h.t.Errorf("ASan tells of %d parts of its shadow: %.300q", n, w.stderr())
		}
		h.said(w.said, "mine", own...)
	}},
	{name: "C, jemalloc", small: true, many: true, needs: []string{"libjemalloc.so"}, argv: testProgram("memory_blocks"),
		env: []string{"LD_PRELOAD=libjemalloc.so.2", "MALLOC_CONF=stats_print:false,narenas:4"}, truth: func(h *truth, w *world) {
			h.said(w.said, "block", classify.Jemalloc)
			h.said(w.said, "mine", own...)
		}},
	{name: "C, tcmalloc", small: true, many: true, needs: []string{"libtcmalloc.so"}, argv: testProgram("memory_blocks"),
		env: []string{"LD_PRELOAD=libtcmalloc_minimal.so.4", "TCMALLOC_SKIP_SBRK=1"}, truth: func(h *truth, w *world) {
			h.said(w.said, "block", classify.TCMalloc, classify.Heap)
			h.said(w.said, "mine", own...)
			var heap uint64 // what it has of the program break, its own records too
			for i := range h.rows {
				if h.rows[i].File.Path == "[heap]" {
					heap += h.rows[i].Len()
				}
			}
			n := h.number(strings.Join(w.said, "\n"), `system (\d+)`)
			h.sum("generic.heap_size", n-heap, n, false, classify.TCMalloc)
		}},
	{name: "redis", small: true, needs: []string{"redis-server", "redis-cli"},
		argv: func(w *world) []string {
			return []string{"redis-server", "--port", "0", "--save", "", "--unixsocket", filepath.Join(w.dir, "s")}
		},
		ask: func(w *world) (string, error) {
			cli := func(words ...string) (string, error) {
				out, err := exec.Command("redis-cli", append([]string{"-e", "-s", filepath.Join(w.dir, "s")}, words...)...).Output()
				return string(out), err
			}
			if _, err := cli("eval", "for i = 1, 100000 do redis.call('set', 'key' .. i, string.rep('x', i % 300)) end", "0"); err != nil {
				return "", err
			}
			return cli("memory", "malloc-stats")
		},
		truth: func(h *truth, w *world) {
			all := h.number(w.text, `mapped: (\d+)`) + h.number(w.text, `retained: (\d+)`)
			h.sum("jemalloc's statistics", all, all, false, classify.Jemalloc, classify.JemallocOwn)
		}},
	{name: "java, G1", needs: []string{"java", "jcmd"}, argv: javaWith("-XX:+UseG1GC"), ask: ready("jcmd", "%d", "VM.native_memory", "detail"), truth: javaTruth},
	{name: "java, ZGC", needs: []string{"java", "jcmd"}, argv: javaWith("-XX:+UseZGC"), ask: ready("jcmd", "%d", "VM.native_memory", "detail"), truth: javaTruth},
	{name: "node", small: true, many: true, needs: []string{"node"}, argv: words("node", "-e", `
		globalThis.kept = Array.from({length: 300000}, (_, i) => ({i}));
		globalThis.big = Buffer.alloc(20 << 20, 1);
		globalThis.heap = require("v8").getHeapSpaceStatistics();
		console.log("heap " + require("v8").getHeapStatistics().total_heap_size);
		console.log("ready");
		require("fs").readSync(0, Buffer.alloc(1), 0, 1);`), truth: func(h *truth, w *world) {
		heap := h.number(strings.Join(w.said, "\n"), `heap (\d+)`)
		// Code has a range of its own, and spaces are counted with what was asked for after the question.
		h.sum("v8.getHeapStatistics", heap*95/100, heap+16<<20, true, classify.V8Heap, classify.V8Code)
	}},
	{name: "python3, numpy", needs: []string{"/usr/bin/python3", "numpy"}, argv: pythonWith(`
import sys, threading, numpy
kept = [str(i) for i in range(300000)]
arrays = [numpy.ones(1 << 20) for _ in range(8)]
e = threading.Event()
for _ in range(3): threading.Thread(target=e.wait, daemon=True).start()
`), truth: pythonTruth},
	{name: "python3, multiprocessing", small: true, needs: []string{"/usr/bin/python3"}, argv: pythonWith(`
import sys, time, multiprocessing
def work(q, done):
    kept = [str(i) for i in range(100000)]
    account()
    q.put(len(kept))
    done.wait()
q, done = multiprocessing.Queue(), multiprocessing.Event()
kids = [multiprocessing.Process(target=work, args=(q, done), daemon=True) for _ in range(2)]
for k in kids: k.start()
for k in kids: q.get()
`), truth: pythonTruth, more: func(w *world) []int { return descendants(w.pid)[:1] }},
	{name: "ruby", small: true, many: true, needs: []string{"ruby"}, argv: words("ruby", "-e", `
		$kept = (0...300000).map { |i| "x#{i}" }
		f = (0...20).map { Fiber.new { Fiber.yield }.tap(&:resume) }
		GC.start
		$stdout.puts "pages #{GC.stat[:heap_allocated_pages] || GC.stat[:heap_eden_pages]}"
		$stdout.puts "ready"; $stdout.flush; $stdin.read`), truth: func(h *truth, w *world) {
		n := h.number(strings.Join(w.said, "\n"), `pages (\d+)`) * (64 << 10)
		h.sum("GC.stat", n, n+n/4+1<<20, false, classify.Ruby)
	}},
	{name: "php", small: true, many: true, needs: []string{"php"}, argv: words("php", "-n", "-r", `
		$kept = []; for ($i = 0; $i < 200000; $i++) $kept[] = "x$i"; $huge = str_repeat("y", 5000000);
		echo "usage ", memory_get_usage(true), "\nready\n"; fgets(STDIN);`), truth: func(h *truth, w *world) {
		n := h.number(strings.Join(w.said, "\n"), `usage (\d+)`)
		h.sum("memory_get_usage", n, n, false, classify.PHP)
	}},
	{name: "php, fibers", needs: []string{"php"}, argv: words("php", "-n", "-d", "fiber.stack_size=1M", "-r", `
		$kept = []; for ($i = 0; $i < 100; $i++) { $f = new Fiber(function ($x) { $y = [$x]; Fiber::suspend($y); }); $f->start($i); $kept[] = $f; }
		echo "usage ", memory_get_usage(true), "\nready\n"; fgets(STDIN);`), truth: func(h *truth, w *world) {
		n := h.number(strings.Join(w.said, "\n"), `usage (\d+)`)
		h.sum("memory_get_usage", n, n, false, classify.PHP)
		h.sum("fiber.stack_size", 100<<20, 100<<20, false, classify.CoroutineStack)
		h.sum("a page for each fiber", 100*vm.PageSize, 100*vm.PageSize, false, classify.StackGuard)
	}},
	{name: "guile", needs: []string{"guile"}, argv: words("guile", "--no-auto-compile", "-c", `
		(use-modules (ice-9 rdelim)) (define kept (make-vector 2000000 1)) (gc)
		(format #t "heap ~a\nready\n" (assq-ref (gc-stats) 'heap-size)) (force-output) (read-line)`), truth: func(h *truth, w *world) {
		n := h.number(strings.Join(w.said, "\n"), `heap (\d+)`)
		h.sum("gc-stats", n, n+1<<20, false, classify.BDWGC)
	}},
	{name: "luajit", needs: []string{"luajit"}, argv: words("luajit", "-e", `
		local t = {} for i = 1, 300000 do t[i] = {i} end
		print("heap " .. string.format("%d", collectgarbage("count") * 1024))
		print("ready") io.stdout:flush() io.read("*a")`), truth: func(h *truth, w *world) {
		n := h.number(strings.Join(w.said, "\n"), `heap (\d+)`)
		h.sum("collectgarbage", n, n+n/2, false, classify.LuaJIT)
	}},
	{name: "haskell", needs: []string{"ghc"}, argv: func(w *world) []string {
		text := `import GHC.Stats
import System.IO
import System.Mem
main = do
  let kept = [show i | i <- [1 .. 200000 :: Int]]
  length (concat kept) ` + "`seq`" + ` performGC
  s <- getRTSStats
  putStrLn ("use " ++ show (gcdetails_mem_in_use_bytes (gc s)) ++ "\nready")
  hFlush stdout
  getContents >>= putStr
  print (last kept)
`
		if err := os.WriteFile(filepath.Join(w.dir, "Kept.hs"), []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
		cmd := exec.Command("ghc", "-v0", "-rtsopts", "-threaded", "Kept.hs")
		cmd.Dir = w.dir
		if b, err := cmd.CombinedOutput(); err != nil {
			w.t.Fatalf("%v\n%s", err, b)
		}
		return []string{filepath.Join(w.dir, "Kept"), "+RTS", "-T", "-N2"}
	}, truth: func(h *truth, w *world) {
		n := h.number(strings.Join(w.said, "\n"), `use (\d+)`)
		h.sum("getRTSStats", n, n, true, classify.GHC)
	}},
	{name: "sbcl", needs: []string{"sbcl"}, argv: words("sbcl", "--noinform", "--disable-debugger", "--no-userinit", "--eval", `
		(progn (defvar *kept* (make-array 2000000 :initial-element 7))
		  (format t "~&space ~x ~x~%space ~x ~x~%space ~x ~x~%ready~%"
		    sb-vm:dynamic-space-start (+ sb-vm:dynamic-space-start (sb-ext:dynamic-space-size))
		    sb-vm:static-space-start sb-vm:static-space-end
		    sb-vm:fixedobj-space-start (+ sb-vm:fixedobj-space-start sb-vm:fixedobj-space-size))
		  (finish-output) (read-line *standard-input* nil))`), truth: func(h *truth, w *world) {
		h.said(w.said, "space", classify.SBCL, classify.FileData)
	}},
	{name: "erlang", needs: []string{"erl"}, argv: words("erl", "-noshell", "-eval", `
		put(x, [lists:seq(1, 300000), [binary:copy(<<"x">>, 100000) || _ <- lists:seq(1, 100)]]), erlang:garbage_collect(),
		io:format("carriers ~w~nready~n", [lists:sum([N || A <- erlang:system_info(alloc_util_allocators),
			L <- [erlang:system_info({allocator, A})], is_list(L), {instance, _, I} <- L, {_, P} <- I, is_list(P), {mseg_alloc_carriers_size, N} <- P])]),
		io:get_line(""), halt(0).`), truth: func(h *truth, w *world) {
		n := h.number(strings.Join(w.said, "\n"), `carriers (\d+)`)
		// One that comes or goes while it is asked; literals have a gigabyte of addresses, code its own place.
		h.sum("erlang:system_info", n-2<<20, n+2<<20+40<<20, true, classify.BEAM)
	}},
	{name: "ocaml 4", needs: []string{"ocaml"}, argv: func(w *world) []string {
		text := `let kept = Array.init 300000 (fun i -> [i; i + 1])
let big = Bytes.create 20_000_000
let () = Gc.full_major (); Printf.printf "heap %d\nready\n%!" (Sys.word_size / 8 * (Gc.quick_stat ()).Gc.heap_words);
  (try ignore (input_line stdin) with End_of_file -> ()); print_int (Array.length kept + Bytes.length big)
`
		file := filepath.Join(w.dir, "kept.ml")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
		return []string{"ocaml", file}
	}, truth: func(h *truth, w *world) {
		// Its heap comes from malloc, in large chunks: what the C library counts of them is judged.
		if n, mapped := h.number(strings.Join(w.said, "\n"), `heap (\d+)`), h.sums[0].least; n > mapped {
			h.t.Errorf("the heap has %d bytes, malloc mapped %d", n, mapped)
		}
	}},
	{name: "ocaml 5", needs: []string{"ocaml 5"}, argv: func(w *world) []string {
		text := `let work n () = let l = List.init n string_of_int in Gc.full_major (); l
let kept = Array.init 300000 (fun i -> [i; i + 1])
let big = Bytes.create 20_000_000
let ended = Domain.join (Domain.spawn (work 50_000))
let () =
  let m = Mutex.create () and c = Condition.create () and n = ref 0 in
  let domains = List.init 2 (fun i -> Domain.spawn (fun () ->
    let l = work (100_000 * (i + 1)) () in
    Mutex.lock m; incr n; Condition.broadcast c; while !n > 0 do Condition.wait c m done; Mutex.unlock m; List.length l)) in
  Mutex.lock m; while !n < 2 do Condition.wait c m done; Mutex.unlock m;
  print_endline "ready";
  (try ignore (input_line stdin) with End_of_file -> ());
  print_int (List.length domains + Array.length kept + Bytes.length big + List.length ended)
`
		if err := os.WriteFile(filepath.Join(w.dir, "kept.ml"), []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
		compiler := testenv.OCaml5("ocamlopt")
		if compiler == "" {
			compiler = testenv.OCaml5("ocamlc")
		}
		cmd := exec.Command(compiler, "-o", "kept", "kept.ml")
		cmd.Dir = w.dir
		if b, err := cmd.CombinedOutput(); err != nil {
			w.t.Fatalf("%v\n%s", err, b)
		}
		return []string{filepath.Join(w.dir, "kept")}
	}, env: []string{"OCAMLRUNPARAM=v=0x1000"}, truth: func(h *truth, w *world) {
		n := 0
		for _, m := range regexp.MustCompile(`(?m)^(mmap|munmap) (\d+) bytes at (?:0x)?([0-9a-f]+) for heaps$`).FindAllStringSubmatch(w.stderr(), -1) {
			size, _ := strconv.ParseUint(m[2], 10, 64)
			start, _ := strconv.ParseUint(m[3], 16, 64)
			if m[1] == "mmap" {
				h.claim("OCaml's mmap", start, start+size, classify.OCaml)
				n++
			} else if !slices.ContainsFunc(h.claims, func(c claim) bool { return c.Covers(vm.Range{Start: start, End: start + size}) }) {
				continue // what was mapped to align it
			} else {
				h.t.Fatalf("OCaml has unmapped %x", start)
			}
		}
		if n == 0 {
			h.t.Errorf("OCaml tells of nothing: %.300q", w.stderr())
		}
	}},
	{name: "mono", needs: []string{"mono", "mcs"}, argv: func(w *world) []string {
		text := `using System; using System.Collections.Generic;
class Kept { static void Main() {
  var l = new List<object>(); for (int i = 0; i < 300000; i++) l.Add(new int[]{i});
  var big = new byte[20 << 20]; big[1] = 1; GC.Collect();
  Console.WriteLine("heap " + GC.GetTotalMemory(false) + "\nready"); Console.Out.Flush(); Console.ReadLine(); GC.KeepAlive(l); GC.KeepAlive(big); } }
`
		if err := os.WriteFile(filepath.Join(w.dir, "Kept.cs"), []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
		cmd := exec.Command("mcs", "Kept.cs")
		cmd.Dir = w.dir
		if b, err := cmd.CombinedOutput(); err != nil {
			w.t.Fatalf("%v\n%s", err, b)
		}
		return []string{"mono", filepath.Join(w.dir, "Kept.exe")}
	}, truth: func(h *truth, w *world) {
		n := h.number(strings.Join(w.said, "\n"), `heap (\d+)`)
		h.sum("GC.GetTotalMemory", n, n+24<<20, false, classify.Mono) // blocks that are not full, the nursery, card tables
	}},
	{name: "jsc", needs: []string{"jsc"}, argv: func(w *world) []string {
		file := filepath.Join(w.dir, "kept.js")
		text := `var kept = []; for (var i = 0; i < 300000; i++) kept.push({i: i});
var big = new Uint8Array(20 << 20); big.fill(1); print("ready"); readline(); print(kept.length + big.length);
`
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
		return []string{"jsc", file}
	}, truth: func(h *truth, w *world) {
		known := h.claims
		h.claims = nil
		for i := range h.rows { // what nobody else knows is JavaScriptCore's, or the loader's; the program maps nothing itself
			if e := &h.rows[i]; e.File.Path == "" {
				h.claim("jsc", e.Start, e.End, classify.JavaScriptCore, classify.Loader)
			}
		}
		h.claims = append(h.claims, known...)
	}},
	{name: "R", needs: []string{"R"}, argv: words("R", "--vanilla", "--slave", "-e",
		`x<-lapply(1:40,function(i)rnorm(1e5));y<-as.character(1:2e5);invisible(gc());cat("ready\n");invisible(readLines(file("stdin")))`)},
	{name: "chromium", needs: []string{"chromium"}, argv: browser("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir=%d/p", "--remote-debugging-port=0", "data:text/html,<h1>x</h1>"),
		ask: settled(4), more: func(w *world) []int { return descendants(w.pid) }},
	{name: "firefox", needs: []string{"firefox-esr"}, argv: firefox, ask: atRest(3), more: func(w *world) []int { return descendants(w.pid) }, truth: firefoxTruth},
	{name: "mariadb", needs: []string{"mariadbd", "mariadb-install-db", "mariadb"},
		argv: func(w *world) []string {
			if b, err := exec.Command("mariadb-install-db", "--no-defaults", "--user=root", "--auth-root-authentication-method=normal", "--datadir="+w.dir+"/d").CombinedOutput(); err != nil {
				w.t.Fatalf("%v\n%s", err, b)
			}
			return []string{"mariadbd", "--no-defaults", "--user=root", "--skip-networking", "--datadir=" + w.dir + "/d", "--socket=" + w.dir + "/s", "--innodb-buffer-pool-size=128M"}
		},
		ask: func(w *world) (string, error) {
			out, err := exec.Command("mariadb", "--no-defaults", "-N", "-S", w.dir+"/s", "-e", "select concat('pool ', @@innodb_buffer_pool_size, ' max ', @@innodb_buffer_pool_size_max, ' buffers ', @@key_buffer_size + @@aria_pagecache_buffer_size + 2 * @@innodb_log_buffer_size)").Output()
			return string(out), err
		},
		truth: func(h *truth, w *world) {
			pool, most := h.number(w.text, `pool (\d+)`), h.number(w.text, `max (\d+)`)
			buffers := h.number(w.text, `buffers (\d+)`)
			h.sum("its variables", buffers-buffers/8, buffers+4<<20, false, classify.MySQLBuffer) // caches take some of it by malloc; the log of Aria has one, too
			h.sum("innodb_buffer_pool_size_max", pool, most+8<<20, false, classify.InnoDBPool)    // an extent to align it
		}},
	{name: "postgres", needs: []string{"postgres", "initdb", "psql", "setpriv"},
		argv: func(w *world) []string {
			as := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
			makePublic(w.t, w.dir)
			if err := os.Chown(w.dir, 65534, 65534); err != nil {
				w.t.Fatal(err)
			}
			cmd := exec.Command(as[0], append(as[1:], "initdb", "-U", "postgres", "-D", w.dir+"/d")...)
			cmd.Dir = w.dir
			if b, err := cmd.CombinedOutput(); err != nil {
				w.t.Fatalf("%v\n%s", err, b)
			}
			return append(as, "postgres", "-D", w.dir+"/d", "-k", w.dir, "-c", "listen_addresses=", "-c", "shared_buffers=40MB")
		},
		ask: func(w *world) (string, error) {
			out, err := exec.Command("psql", "-h", w.dir, "-U", "postgres", "-Atc", "select 'shared ' || sum(allocated_size) from pg_shmem_allocations").Output()
			return string(out), err
		},
		more: func(w *world) []int { return descendants(w.pid)[:1] },
		truth: func(h *truth, w *world) {
			n := h.number(w.text, `shared (\d+)`)
			// It is the only one of no file, and the kernel has a label for that.
			got := uint64(0)
			for i := range h.rows {
				if h.rows[i].File.Path == "/dev/zero (deleted)" {
					got += h.rows[i].Len()
				}
			}
			if got < n || got > n+2<<20 {
				h.t.Errorf("%d bytes of shared memory, the server says %d", got, n)
			}
		}},
}

// ready asks with a command, in which %d is the program's pid.
func ready(argv ...string) func(*world) (string, error) {
	return func(w *world) (string, error) {
		if _, err := os.Stat(filepath.Join(w.dir, "ready")); err != nil {
			return "", err
		}
		var list []string
		for _, a := range argv {
			list = append(list, strings.ReplaceAll(a, "%d", strconv.Itoa(w.pid)))
		}
		out, err := exec.Command(list[0], list[1:]...).Output()
		return string(out), err
	}
}

// browser is a program for which %d is where its profile may lie.
func browser(argv ...string) func(*world) []string {
	return func(w *world) (list []string) {
		for _, a := range argv {
			list = append(list, strings.ReplaceAll(a, "%d", w.dir))
		}
		return list
	}
}

// settled waits for a process to have so many descendants, and all of them to map nothing for a second.
func settled(children int) func(*world) (string, error) {
	last, since := "", time.Now()
	return func(w *world) (string, error) {
		now := ""
		list := descendants(w.pid)
		for _, pid := range append(list, w.pid) {
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
			now += string(text)
		}
		if now != last || len(list) < children {
			last, since = now, time.Now()
		}
		if time.Since(since) < time.Second {
			return "", fmt.Errorf("%d children, not at rest", len(list))
		}
		return "", nil
	}
}

func goTruth(h *truth, w *world) {
	n := h.number(strings.ReplaceAll(strings.Join(w.said, "\n"), "heap ", "heap 0x"), `heap (0x[0-9a-f]+)`)
	h.sum("runtime/metrics", n, n, true, classify.GoHeap)
	h.said(w.said, "mine", own...)
}

// javaWith starts a program that has classes, objects and threads, and then waits.
func javaWith(gc string) func(*world) []string {
	return func(w *world) []string {
		src := filepath.Join(w.dir, "Kept.java")
		text := `import java.util.*; import java.nio.file.*;
public class Kept { static List<byte[]> kept = new ArrayList<>();
 public static void main(String[] a) throws Exception {
  for (int i = 0; i < 40000; i++) kept.add(new byte[1000]);
  for (int i = 0; i < 4; i++) { Thread t = new Thread(() -> { try { Thread.sleep(1000000); } catch (Exception e) {} }, "worker" + i); t.setDaemon(true); t.start(); }
  System.gc(); Files.createFile(Path.of("ready")); System.in.read(); } }`
		if err := os.WriteFile(src, []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
		return []string{"java", gc, "-Xmx512m", "-XX:NativeMemoryTracking=detail", src}
	}
}

// nmt are the categories of HotSpot's native memory tracking that are kinds.
var nmt = map[string][]classify.Kind{
	"Java Heap": kinds(classify.JVMHeap), "Class": kinds(classify.JVMClassSpace, classify.JVMMetaspace), "Metaspace": kinds(classify.JVMMetaspace, classify.JVMClassSpace),
	"Code": kinds(classify.JVMCodeCache), "GC": kinds(classify.JVMGC), "Shared class space": kinds(classify.JVMCDS, classify.JVMHeap),
	"Internal": kinds(classify.JVMOther), "Safepoint": kinds(classify.JVMOther), "Compiler": kinds(classify.JVMOther), "Module": kinds(classify.JVMOther),
	"Tracing": kinds(classify.JVMOther), "Other": kinds(classify.JVMOther), "Unknown": kinds(classify.JVMOther),
}

func javaTruth(h *truth, w *world) {
	before := h.claims
	h.claims = nil
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^\[0x([0-9a-f]+) - 0x([0-9a-f]+)\] reserved \d+KB for (.*?)(?: from)?$`).FindAllStringSubmatch(w.text, -1) {
		start, _ := strconv.ParseUint(m[1], 16, 64)
		end, _ := strconv.ParseUint(m[2], 16, 64)
		if k := nmt[m[3]]; k != nil {
			h.claim("NMT: "+m[3], start, end, k...)
			n++
		}
	}
	if n == 0 {
		h.t.Fatalf("no ranges in %.300q", w.text)
	}
	// What the kernel, files and the C library know is nearer: a stack lies in no heap.
	for _, c := range before {
		if !strings.HasPrefix(c.source, "the kernel's label /") {
			h.claims = append(h.claims, c)
		}
	}
	for _, c := range before {
		if strings.HasPrefix(c.source, "the kernel's label /") {
			h.claims = append([]claim{c}, h.claims...)
		}
	}
}

func pythonWith(script string) func(*world) []string {
	return words("/usr/bin/python3", "-c", `
def account():
    import os, sys
    f = os.open("stats.%d" % os.getpid(), os.O_CREAT | os.O_WRONLY)
    os.dup2(f, 2)
    sys._debugmallocstats()
`+script+`
account()
print("ready", flush=True)
sys.stdin.read()
`)
}

func pythonTruth(h *truth, w *world) {
	text, err := os.ReadFile(filepath.Join(w.dir, "stats."+strconv.Itoa(h.pid)))
	if err != nil {
		h.t.Fatal(err)
	}
	n := h.number(string(text), `(\d+) arenas \* 1048576 bytes/arena`) << 20
	// The frames of each thread have a chunk of their own, of 16 KiB at least.
	h.sum("sys._debugmallocstats", n, n+1<<20, false, classify.CPython)
}
