package locale

// hints are the advice of packages classify and analysis, and the hints about missing names.
func hints() map[string]string {
	return map[string]string{
		"%s of %s reserved as %v are address space only: %v":                                                              "%[3]v保留的 %[2]s 中有 %[1]s 只是地址空间：%[4]v",
		"MIMALLOC_ARENA_RESERVE=64MiB makes mimalloc reserve in smaller steps":                                            "MIMALLOC_ARENA_RESERVE=64MiB 使 mimalloc 以较小的步长保留",
		"-Xmx (or -XX:MaxRAMPercentage) bounds the Java heap, and with it the GC's own structures":                        "-Xmx（或 -XX:MaxRAMPercentage）限制 Java 堆，以及随之的 GC 数据结构",
		"-XX:CompressedClassSpaceSize=128m bounds the Java class space":                                                   "-XX:CompressedClassSpaceSize=128m 限制 Java 类空间",
		"-XX:ReservedCodeCacheSize=64m bounds the Java code cache":                                                        "-XX:ReservedCodeCacheSize=64m 限制 Java 代码缓存",
		"innodb_buffer_pool_size bounds the InnoDB buffer pool, innodb_buffer_pool_size_max what MariaDB reserves for it": "innodb_buffer_pool_size 限制 InnoDB 缓冲池，innodb_buffer_pool_size_max 限制 MariaDB 为它保留的地址",
		"--dynamic-space-size bounds SBCL's heap":                                                                         "--dynamic-space-size 限制 SBCL 的堆",
		"%s of locale data are mapped, %s used: LC_ALL=C.UTF-8 needs none of it":                                          "映射了 %s 区域设置数据，用到 %s：LC_ALL=C.UTF-8 完全不需要它",
		"one glibc malloc arena": "一个 glibc arena（分配区）",
		"%s of %v are address space only (no memory): MALLOC_ARENA_MAX=1 (or GLIBC_TUNABLES=glibc.malloc.arena_max=1) would avoid them; threads then wait for each other in malloc":                                                                                                                         "%[2]v中有 %[1]s 只是地址空间（不占内存）：MALLOC_ARENA_MAX=1（或 GLIBC_TUNABLES=glibc.malloc.arena_max=1）可以避免；代价是线程在 malloc 中互相等待",
		"%d large allocations have a mapping each, %s: MALLOC_MMAP_THRESHOLD_=%d (or GLIBC_TUNABLES=glibc.malloc.mmap_threshold) keeps them in the heap, with fewer calls and mappings":                                                                                                                     "%d 个大块分配各有一个映射，共 %s：MALLOC_MMAP_THRESHOLD_=%d（或 GLIBC_TUNABLES=glibc.malloc.mmap_threshold）使它们留在堆中，调用和映射更少",
		"the Go heap has %s resident: GOMEMLIMIT=%dMiB bounds what the garbage collector lets it grow to, GOGC=50 collects sooner; both cost CPU time":                                                                                                                                                      "Go 堆驻留 %s：GOMEMLIMIT=%dMiB 限制垃圾回收器允许它增长到的大小，GOGC=50 更早回收；两者都消耗 CPU 时间",
		"%s of jemalloc's extents are address space only: MALLOC_CONF=narenas:2 makes threads share arenas, retain:false gives unused ranges back, dirty_decay_ms:1000 unused pages sooner (the variable is JE_MALLOC_CONF or _RJEM_MALLOC_CONF where the program's jemalloc was built with such a prefix)": "jemalloc 的 extent（区段）中有 %s 只是地址空间：MALLOC_CONF=narenas:2 使线程共用 arena，retain:false 归还未用的区间，dirty_decay_ms:1000 更早归还未用的页（若程序的 jemalloc 编译时带前缀，变量名为 JE_MALLOC_CONF 或 _RJEM_MALLOC_CONF）",
		"%s of the program heap are address space only: MALLOC_TRIM_THRESHOLD_=131072 (or GLIBC_TUNABLES=glibc.malloc.trim_threshold) gives its free end back to the kernel":                                                                                                                                "程序堆中有 %s 只是地址空间：MALLOC_TRIM_THRESHOLD_=131072（或 GLIBC_TUNABLES=glibc.malloc.trim_threshold）把空闲的末端还给内核",
		"%v reserve %s of address space, the fullest uses %s: %v would spare %s":                                                  "%v保留了 %s 地址空间，用得最多的只用 %s：%v可节省 %s",
		"ulimit -s %d (the size of new threads' stacks where the program gives none)":                                             "ulimit -s %d（程序未指定时新线程栈的大小）",
		"-Xss%dk (the size of Java threads' stacks)":                                                                              "-Xss%dk（Java 线程栈的大小）",
		"the JavaScript heap has %s resident: NODE_OPTIONS=--max-old-space-size=%d (MiB) bounds it; it costs CPU time":            "JavaScript 堆驻留 %s：NODE_OPTIONS=--max-old-space-size=%d（MiB）可限制它；代价是 CPU 时间",
		"%d of %d mappings are in use, then mmap fails: sysctl vm.max_map_count=%d allows more; report --vmas tells who has them": "已用 %d / %d 个映射，用完后 mmap 会失败：sysctl vm.max_map_count=%d 允许更多；report --vmas 说明是谁的",

		// Names.
		"a build that is not stripped (it has no build id by which a debug file could be found)": "需要未 strip 的构建（它没有可用来寻找调试文件的 build id）",
		"its debug file %s, or one below --debug-dir, or --debuginfod":                           "它的调试文件 %s，或 --debug-dir 之下的，或 --debuginfod",
		"apt-get install %s": "apt-get install %s",
		"apt-get install %s (Debian), debuginfo-install %s (Fedora)": "apt-get install %s（Debian）、debuginfo-install %s（Fedora）",
		"vmblame run --jit-names has its runtime tell them":          "vmblame run --jit-names 让运行时说出它们",
	}
}

// steps are the words of a history for its steps.
func steps() map[string]string {
	return map[string]string{
		"%s -> %s in memory: %s": "内存中 %s -> %s：%s",
		"%s failed: %s":          "%s 失败：%s",
		"%s anonymous":           "%s 匿名",
		"%s anonymous (reused)":  "%s 匿名（曾用过）",
		"%s (reused)":            "%s（曾用过）",
		"%v (drift: %v)":         "%v（drift：%v）",
	}
}
