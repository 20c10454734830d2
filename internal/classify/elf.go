package classify

import (
	"path"
	"strings"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// image is one loaded ELF file; entries first to last are those found so far.
type image struct {
	file        vm.File
	first, last int
	group       int
	evidence    string
	confidence  Confidence
}

var elfHeading = &Heading{"elf", words("ELF file"), AsFiles}

// elfFamily are the parts of loaded ELF files.
var elfFamily = Family{
	Kinds: []Row{
		{ELFText, mass("code"), elfHeading, false, "", ungoverned, noAdvice},
		{ELFRodata, mass("constants"), elfHeading, false, "", ungoverned, noAdvice},
		{ELFData, mass("data"), elfHeading, false, "", ungoverned, noAdvice},
		{ELFRelro, mass("relocated constants"), elfHeading, false, "", ungoverned, noAdvice},
		{ELFBSS, mass("zeroed data"), elfHeading, false, "", ungoverned, noAdvice},
		{ELFGap, Words{"gap between segments", "gaps between segments"}, elfHeading, true, "", ungoverned, noAdvice},
	},
	Labels: []Label{{"glibc: .bss", ELFBSS}}, // glibc sysdeps/unix/sysv/linux/setvmaname.c and its callers
}

// findELF recognises the segments of executables and libraries (glibc elf/dl-map-segments.h: the first segment
// reserves the span of all, the others are mapped over it, zeroed memory follows the last; the kernel's
// fs/binfmt_elf.c does the same).
func findELF(v *view) {
	code := map[vm.File]bool{} // files of which some part can be executed
	for i, e := range v.free {
		if e.File.Backed() && e.Perms&vm.Exec != 0 && e.Perms&vm.Shared == 0 && v.isCode(i, e) || v.byLoader(i, e) {
			code[fileOf(e)] = true
		}
	}
	var im *image
	for i, e := range v.free {
		f := fileOf(e)
		switch {
		case e.File.Backed() && code[f] && e.Perms&vm.Shared == 0 && !v.byProgram(i) && !v.read(i, e):
			if im == nil || fileOf(&v.Entries[im.last]) != f && im.file != f || e.Offset < lastOffset(v, im) {
				im = v.newImage(i, e)
			}
			im.last = i
			v.claimSegment(im, i, e)
		case im != nil && v.isBSS(im, i, e):
			im.last = i
			d := im.verdict(ELFBSS, v)
			if e.Origin.Cause == ledger.BeforeAttach {
				d.Confidence, d.Evidence = Likely, "behind the data of the file"
			}
			v.claim(i, d)
		case im != nil && anonymous(e) && im.confidence == Certain && v.zeroed(im.first, v.events[i]):
			// A part of .bss behind a piece that the program has mapped over or unmapped.
			v.claim(i, im.verdict(ELFBSS, v))
		case im != nil && v.isMovedCode(im, i, e):
			im.last = i
			d := im.verdict(ELFText, v)
			d.Confidence, d.Evidence = Likely, "executable, between parts of the file, which its program has moved"
			v.claim(i, d)
		case im != nil && v.isGap(im, i, e):
			v.claim(i, im.verdict(ELFGap, v))
		}
	}
}

// fileOf identifies the file of e by device and inode, since its name may change; by its name if they are unknown, as
// in a core file.
func fileOf(e *ledger.Entry) vm.File {
	if e.File.Inode == 0 {
		return vm.File{Path: e.File.Path}
	}
	return vm.File{Dev: e.File.Dev, Inode: e.File.Inode}
}

// byLoader reports whether e maps a file and was mapped by the dynamic loader as part of an image, or by the kernel
// at exec.
func (v *view) byLoader(i int, e *ledger.Entry) bool {
	if !e.File.Backed() || e.Perms&vm.Shared != 0 {
		return false
	}
	if e.Origin.Cause == ledger.Kernel {
		return true
	}
	return v.chain(v.events[i]).find("_dl_map_segments", "_dl_map_object_from_fd", "map_library") != ""
}

// isCode reports whether e, an executable mapping, is part of a loaded ELF file. Programs map other files as
// executable too: cores of Lisps, images of .NET and Wine. Where it is not known who mapped it, a neighbour that maps
// another part of the same file shows an ELF file.
func (v *view) isCode(i int, e *ledger.Entry) bool {
	if e.Origin.Cause == ledger.Kernel {
		return true
	}
	c := v.chain(v.events[i])
	by := c.by()
	if c.inLoader() || by.in.IsMusl() {
		return true
	}
	if by.name != "" || by.module != "" && by.module != path.Base(v.Exe) {
		return false // a static program may load for itself
	}
	if name := path.Base(e.File.Path); e.File.Path == v.Exe || strings.HasSuffix(name, ".so") || strings.Contains(name, ".so.") {
		return true
	}
	return v.besidePart(i, e)
}

// besidePart reports whether another part of e's file lies beside it, as the segments of a loaded file do.
func (v *view) besidePart(i int, e *ledger.Entry) bool {
	part := func(k int) bool {
		return fileOf(&v.Entries[k]) == fileOf(e) && v.Entries[k].Offset != e.Offset && v.Entries[k].Perms != e.Perms
	}
	return v.beside(i) && part(i-1) || v.beside(i+1) && part(i+1)
}

// inLoader reports whether the dynamic loader is on the stack. musl's loader does not count: it is also the C
// library, which is on every stack.
func (c *chain) inLoader() bool {
	for _, f := range c.frames {
		if f.in.IsLoader() && !f.in.IsMusl() || strings.Contains(f.name, "dlopen") || strings.HasPrefix(f.name, "_dl_") || f.name == "map_library" {
			return true
		}
	}
	return false
}

// byProgram reports whether an entry was mapped over an anonymous reservation by something other than a loader. V8
// does so to have its built-in code, from the file, close to the code that it compiles.
func (v *view) byProgram(i int) bool {
	ev := v.events[i]
	if ev == nil || ev.Over == nil || !ev.Over.anonymous() {
		return false
	}
	c := v.chain(ev)
	return len(c.frames) > 0 && !c.inLoader() && !c.by().in.IsMusl()
}

// read reports whether a file is mapped as data although it is loaded as code too: programs that print stack
// traces map executables and libraries to look up names.
func (v *view) read(i int, e *ledger.Entry) bool {
	ev := v.events[i]
	if ev == nil || ev.fixed() || e.Perms&vm.Exec != 0 || v.byLoader(i, e) {
		return false
	}
	c := v.chain(ev)
	if c.inLoader() {
		return false
	}
	switch by := c.by(); {
	case by.in.IsMusl():
		return false // its loader is the same file
	case by.name == "":
		// A static program may load for itself: more than one part of a file.
		return by.module != "" && (by.module != path.Base(v.Exe) || !v.besidePart(i, e))
	}
	return true
}

func lastOffset(v *view, im *image) uint64 {
	for i := im.last; i >= im.first; i-- {
		if v.Entries[i].File.Backed() {
			return v.Entries[i].Offset
		}
	}
	return 0
}

func (v *view) newImage(i int, e *ledger.Entry) *image {
	im := &image{file: fileOf(e), first: i, last: i, group: v.group(), confidence: Certain, evidence: "mapped by the dynamic loader"}
	switch c := v.chain(v.events[i]); {
	case e.Origin.Cause == ledger.Kernel:
		im.evidence = "mapped by the kernel at exec"
	case !c.inLoader() && !c.by().in.IsMusl():
		im.confidence, im.evidence = Likely, "a file with code"
	}
	return im
}

func (im *image) verdict(k Kind, v *view) Verdict {
	return Verdict{Kind: k, Detail: path.Base(v.Entries[im.first].File.Path), Confidence: im.confidence, Evidence: im.evidence, Group: im.group}
}

func (v *view) claimSegment(im *image, i int, e *ledger.Entry) {
	k := ELFRodata
	switch {
	case e.Perms&vm.Exec != 0:
		k = ELFText
	case e.Perms&vm.Write != 0:
		k = ELFData
	case !accessible(e):
		k = ELFGap
	case v.isRelro(i, e):
		k = ELFRelro
	}
	d := im.verdict(k, v)
	d.Detail = strings.TrimSuffix(path.Base(e.File.Path), " (deleted)")
	v.claim(i, d)
}

// isRelro reports whether e was writable when it was mapped. Where the kernel mapped it, or the recording
// began later, its place tells: GNU ld puts it between constants and data, as the beginning of the data's
// segment; lld between code and data, as a segment of its own.
func (v *view) isRelro(i int, e *ledger.Entry) bool {
	if ev := v.events[i]; ev != nil {
		return ev.Prot&vm.ProtWrite != 0
	}
	if i == 0 || !v.beside(i) || !v.beside(i+1) {
		return false
	}
	before, after := &v.Entries[i-1], &v.Entries[i+1]
	if fileOf(before) != fileOf(e) || fileOf(after) != fileOf(e) || after.Perms&vm.Write == 0 {
		return false
	}
	if e.Offset == 0 && before.Offset == 0 { // as in what pmap prints: of two alike the later one was divided from the data
		return before.Perms == e.Perms
	}
	shift := e.Start - e.Offset
	if before.Perms&vm.Exec != 0 {
		return shift != before.Start-before.Offset
	}
	return shift == after.Start-after.Offset
}

// isBSS reports whether e is the zeroed memory that follows the data of im.
func (v *view) isBSS(im *image, i int, e *ledger.Entry) bool {
	if !anonymous(e) || im.last != i-1 || !v.beside(i) {
		return false
	}
	before := &v.Entries[i-1]
	if ev := v.events[i]; ev != nil {
		// The program may have mapped something of its own over the image.
		return ev.zeroes(v.root(i-1)) && (im.confidence != Certain || v.zeroed(i-1, ev))
	}
	if e.Origin.Cause == ledger.Kernel {
		return before.Origin.Cause == ledger.Kernel // the kernel maps nothing else behind a file
	}
	// Only the first such row is certain: another mapping may follow it.
	return e.Origin.Cause == before.Origin.Cause && before.File.Backed() && before.Perms&vm.Write != 0 && e.Perms&vm.Write != 0
}

// zeroes reports whether e mapped writable anonymous memory over the reservation made with an image's first segment,
// as loaders do for .bss.
func (e *Event) zeroes(reservation *Event) bool {
	return e.fixed() && e.anonymous() && e.Prot&vm.ProtWrite != 0 && e.Over != nil && e.Over == reservation
}

// zeroed reports whether the loader made ev for the .bss of the image whose first entry is given.
func (v *view) zeroed(first int, ev *Event) bool {
	if ev == nil || !ev.zeroes(v.root(first)) {
		return false
	}
	c := v.chain(ev)
	return c.inLoader() || c.by().in.IsMusl()
}

// isMovedCode reports whether e is code of im that the program has copied to anonymous memory, to have it on huge
// pages: parts of the file lie on both sides.
func (v *view) isMovedCode(im *image, i int, e *ledger.Entry) bool {
	if !anonymous(e) || e.Perms&vm.Exec == 0 || im.last != i-1 || !v.beside(i) {
		return false
	}
	for i++; v.beside(i); i++ {
		if next := &v.Entries[i]; !anonymous(next) || next.Perms&vm.Exec == 0 {
			return fileOf(next) == im.file
		}
	}
	return false
}

// isGap reports whether e is the inaccessible gap between two segments of im.
func (v *view) isGap(im *image, i int, e *ledger.Entry) bool {
	if !anonymous(e) || accessible(e) || im.last != i-1 || !v.beside(i) || !v.beside(i+1) {
		return false
	}
	return fileOf(&v.Entries[i+1]) == im.file
}
