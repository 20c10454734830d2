package classify

import (
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
)

// Runtimes and servers that are recognised by the functions that call mmap for them, and by the contents of their memory
// (package inspect), without a rule of their own.

// phpFamily: Zend/zend_alloc.c. Where php has no names but those it exports, these are the ones that reach mmap.
var phpFamily = Family{
	Modules: []string{"php", "libphp"}, Role: "php", Exports: []string{"zend_eval_string", "_emalloc"}, Language: true,
	Caller:  callers.Allocator{Lowest: []string{"zend_mm_mmap*", "zend_mm_chunk_alloc*"}},
	Kinds:   []Row{{PHP, words("PHP heap"), nil, false, "", ungoverned, noAdvice}},
	Labels:  []Label{{"zend_alloc", PHP}},
	Sources: []string{"zend_*"},
	Calls:   []string{"zend_mm_*", "start_memory_manager"},
	Beside:  []string{"_emalloc*", "_safe_emalloc", "_erealloc*", "_ecalloc", "zend_*", "php_*"},
}

// innodbFamily: MariaDB's and MySQL's storage/innobase/buf/buf0buf.cc.
var innodbFamily = Family{
	Kinds: []Row{{InnoDBPool, words("InnoDB buffer pool"), nil, false, "", ungoverned,
		addressOnly("innodb_buffer_pool_size bounds the InnoDB buffer pool, innodb_buffer_pool_size_max what MariaDB reserves for it")}},
	Caller: callers.Allocator{Lowest: []string{"my_large_virtual_alloc", "my_virtual_mem_*"}},
	// InnoDB alone reserves by my_large_virtual_alloc; what is committed in it came by calls that others make, too.
	Calls:   []string{"buf_pool_t::*", "my_large_virtual_alloc"},
	Beside:  []string{"my_virtual_mem_*", "my_large_malloc", "innodb_*", "srv_*", "ha_initialize_handlerton"},
	Sources: []string{"my_*", "buf0*"},
}

// mysqlFamily: MariaDB's and MySQL's mysys/my_largepage.c, beside the buffer pool.
var mysqlFamily = Family{
	Kinds:   []Row{{MySQLBuffer, words("MariaDB buffer"), nil, false, "", ungoverned, noAdvice}},
	Caller:  callers.Allocator{Lowest: []string{"my_large_malloc"}},
	Calls:   []string{"my_large_malloc"},
	Sources: []string{"my_*"},
	Beside:  []string{"init_pagecache", "init_key_cache", "ha_init_key_cache", "innodb_*", "srv_*", "ha_initialize_handlerton", "plugin_init", "mysqld_main"},
}

// beamFamily: Erlang/OTP's erts/emulator/sys/common/erl_mmap.c and erl_mseg.c.
var beamFamily = Family{
	Modules: []string{"beam"}, Language: true,
	Caller:  callers.Allocator{Lowest: []string{"erts_mmap*", "erts_mremap*", "erts_mseg_*", "os_mmap*", "os_mremap*", "mseg_*", "erts_alcu_mseg_*", "erts_alcu_mmapper_*", "erts_alcu_sys_*"}},
	Kinds:   []Row{{BEAM, words("Erlang carrier"), nil, false, "", ungoverned, noAdvice}},
	Sources: []string{"erl_*"},
	Calls:   []string{"erts_mmap*", "erts_mremap*", "erts_mseg_*"},
	Beside:  []string{"erts_*", "erl_*", "mbc_*", "sbc_*", "create_carrier"},
}

// sbclFamily: SBCL's src/runtime/coreparse.c, validate.c and gencgc.c.
var sbclFamily = Family{
	Modules: []string{"sbcl"}, Language: true,
	Caller: callers.Allocator{Lowest: []string{"os_alloc_gc_space", "os_validate"}},
	Kinds:  []Row{{SBCL, words("SBCL space"), nil, false, "", ungoverned, addressOnly("--dynamic-space-size bounds SBCL's heap")}},
	Calls:  []string{"os_alloc_gc_space", "os_validate", "load_core_file", "allocate_lisp_dynamic_space"},
	Beside: []string{"initialize_lisp", "alloc_thread_struct", "process_directory", "coreparse"},
}

// bdwgcFamily: the Boehm-Demers-Weiser collector's os_dep.c, which Guile, Crystal and w3m have.
var bdwgcFamily = Family{
	Modules: []string{"libgc.so"}, Role: "bdwgc", Exports: []string{"GC_init", "GC_malloc", "GC_gcollect"},
	Kinds:  []Row{{BDWGC, words("Boehm GC heap section"), nil, false, "", hint(Variable, "GC_INITIAL_HEAP_SIZE GC_MAXIMUM_HEAP_SIZE"), noAdvice}},
	Caller: callers.Allocator{Proper: true, Functions: []string{"GC_*"}},
	Calls:  []string{"GC_unix_mmap_get_mem", "GC_unix_get_mem"},
}

// luajitFamily: LuaJIT's src/lj_alloc.c and lj_mcode.c.
var luajitFamily = Family{
	Modules: []string{"luajit", "libluajit"}, Role: "luajit", Exports: []string{"luaJIT_setmode", "lua_newstate"}, Language: true,
	Kinds:   []Row{{LuaJIT, words("LuaJIT heap"), nil, false, "", ungoverned, noAdvice}},
	Calls:   []string{"lj_alloc_*", "lj_mcode_*", "mcode_alloc*"},
	Sources: []string{"lj_*", "ljamalg.c"},
	Beside:  []string{"lj_*", "lua_*", "luaL_*"},
}

// monoFamily: Mono's mono/utils/mono-mmap.c, through which its collector maps, too.
var monoFamily = Family{
	Modules: []string{"mono-sgen", "libmono"}, Role: "mono", Exports: []string{"mono_gc_collect", "mono_jit_init"}, Language: true,
	Kinds:   []Row{{Mono, words("Mono heap"), nil, false, "", hint(Variable, "MONO_GC_PARAMS"), noAdvice}},
	Caller:  callers.Allocator{Lowest: []string{"mono_valloc*", "valloc_impl", "sgen_alloc_os_memory*"}},
	Calls:   []string{"mono_valloc*", "valloc_impl"},
	Sources: []string{"mono-*", "sgen-*"},
	Beside:  []string{"sgen_*", "mono_*"},
}

// javaScriptCoreFamily: WebKit's Source/bmalloc and Source/JavaScriptCore.
var javaScriptCoreFamily = Family{
	Modules: []string{"libjavascriptcoregtk"}, Role: "javascriptcore", Exports: []string{"JSGlobalContextCreate", "JSEvaluateScript"}, Language: true,
	Kinds:  []Row{{JavaScriptCore, words("JavaScriptCore reservation"), nil, false, "", ungoverned, noAdvice}},
	Caller: callers.Allocator{Lowest: []string{"bmalloc::*", "pas_*", "Gigacage::*", "WTF::OSAllocator::*"}},
	Calls:  []string{"bmalloc::*", "pas_*", "Gigacage::*", "WTF::OSAllocator::*", "JSC::*"},
}

// findPostgres recognises the segment that PostgreSQL's processes share (src/backend/port/sysv_shmem.c), which the kernel shows as
// any shared memory.
func findPostgres(v *view) {
	for i, e := range v.free {
		ev := v.events[i]
		if ev == nil || ev.Call != "mmap" || !strings.HasPrefix(e.File.Path, "/dev/zero") {
			continue
		}
		c := v.chain(ev)
		if c.calledBy("CreateAnonymousSegment", "PGSharedMemoryCreate") && callers.Matches(c.by().module, []string{"postgres*"}) {
			v.claim(i, Verdict{Kind: SharedAnon, Detail: "PostgreSQL's shared memory", Evidence: "mmap by " + c.by().name})
		}
	}
}
