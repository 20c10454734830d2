package classify

import (
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

var sanitizerFamily = Family{
	Kinds:   []Row{{Sanitizer, words("sanitizer shadow"), nil, false, "", governed(Variable, "ASAN_OPTIONS LSAN_OPTIONS TSAN_OPTIONS LD_PRELOAD"), noAdvice}},
	Modules: []string{"libasan", "libtsan", "liblsan", "libubsan", "libhwasan", "libclang_rt."}, Role: "sanitizer", Exports: []string{"__sanitizer_set_report_path", "__sanitizer_print_stack_trace"},
}

// findSanitizers recognises the shadow and the own memory of AddressSanitizer and its like (compiler-rt
// lib/sanitizer_common, lib/asan/asan_mapping.h, lib/tsan/rtl/tsan_platform.h).
func findSanitizers(v *view) {
	for i, e := range v.free {
		ev := v.events[i]
		if ev == nil || e.Perms&vm.Shared != 0 || ev.Call != "mmap" {
			continue
		}
		c := v.chain(ev)
		by := c.by()
		inside := c.calledBy("__asan*", "__tsan*", "__msan*", "__lsan*", "__hwasan*", "__ubsan*", "__sanitizer*", "__dfsan*", "__memprof*", "__xray*")
		if !inside && (by.name != "" || !sanitizerFamily.has(by.in)) {
			continue
		}
		d := Verdict{Kind: Sanitizer, Evidence: "mmap by " + by.name}
		d.name(mass("sanitizer's memory"))
		if by.name == "" {
			d.Evidence = "mmap by " + by.module
		}
		shadow := c.find("__asan::InitializeShadowMemory", "__asan::ReserveShadowMemoryRange", "__sanitizer::ReserveShadowMemoryRange", "__sanitizer::ProtectGap",
			"__tsan::InitializeShadowMemory", "__tsan::MapShadow", "__msan::InitShadow") != ""
		switch {
		case e.File.Backed():
			d.Detail = cleanName(e.File.Path)
		case shadow || ev.fixed() && ev.Flags&vm.MapNoReserve != 0 && ev.Length >= 1<<30:
			d.name(Words{})
		}
		v.claim(i, d)
	}
	for i, e := range v.free {
		// Where no call is known, the fixed addresses of AddressSanitizer decide.
		const low, high = 0x7fff7000, 0x10007fff8000
		if v.events[i] == nil && anonymous(e) && e.Start >= low && e.End <= high && v.has(isASan) && e.Len() >= 1<<20 && !strings.HasPrefix(e.File.Path, "[") {
			v.claim(i, Verdict{Kind: Sanitizer, Confidence: Likely, Evidence: "where AddressSanitizer has its shadow"})
		}
	}
}

// isASan reports whether m is the shared runtime of AddressSanitizer, by its file name.
func isASan(m callers.Module) bool { return strings.HasPrefix(m.Base(), "libasan") }
