package debuginfo

import (
	"debug/dwarf"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/elffile"
)

const maxHops = 16 // references followed from a function to find its name

const tagCallSite, tagGNUCallSite dwarf.Tag = 0x48, 0x4109

// functions returns the unit's functions by address range.
func (u *unit) functions() spans {
	if u.indexed {
		return u.funcs
	}
	u.indexed = true
	c := u.file.section("info").Cursor(u.dieOff, u.end)
	defer c.Done()
	var d die
	for c.More() {
		if !u.readDIE(c, &d) {
			continue // the end of a sibling list, or bad
		}
		switch d.tag() {
		case dwarf.TagSubprogram:
			u.ranges(&d, func(lo, hi uint64) bool {
				if u.file.exec.HoldsRange(lo, hi) && len(u.funcs) < maxSpans {
					u.funcs = append(u.funcs, span{lo: lo, hi: hi, ref: uint64(d.off)})
				}
				return true
			})
		case dwarf.TagInlinedSubroutine, dwarf.TagSubroutineType, dwarf.TagEnumerationType, dwarf.TagArrayType,
			tagCallSite, tagGNUCallSite:
			u.skipChildren(c, &d)
		}
	}
	u.funcs.sort()
	u.dropDiscarded()
	u.file.cached += len(u.funcs)
	return u.funcs
}

// skipChildren moves c, which is positioned after d, past d's children. It reports whether d says where they end
// (DW_AT_sibling); if not, c stays.
func (u *unit) skipChildren(c *elffile.Cursor, d *die) bool {
	v, ok := d.get(atSibling)
	if !ok || !d.shape.children {
		return false
	}
	_, off, ok := u.ref(v)
	if !ok || off <= d.off || off < c.Pos() || off > u.end {
		return false
	}
	c.MoveTo(off)
	return true
}

// function returns the chain of functions at addr, innermost inlined first, none if no function of the unit covers
// addr; and aliases of the outermost if it cannot contain inlined calls.
func (u *unit) function(addr uint64) (frames, aliases []Frame) {
	var best span
	var same []span // the same code under other names
	u.functions().at(addr, func(s span) bool {
		switch {
		case best.hi == 0:
			best = s
		case s.lo != best.lo || s.hi != best.hi || len(same) == maxAliases:
			return false
		default:
			same = append(same, s)
		}
		return true
	})
	if best.hi == 0 {
		return nil, nil
	}
	c := u.file.section("info").Cursor(int64(best.ref), u.end)
	defer c.Done()
	var d die
	if !u.readDIE(c, &d) {
		return nil, nil
	}
	outer, ok := u.frame(&d, best.lo)
	if !ok {
		return nil, nil
	}
	chain := []Frame{outer} // outermost first
	if d.shape.children {
		chain = u.inlined(c, addr, chain)
		slices.Reverse(chain)
		return chain, nil
	}
	for _, s := range same {
		c.MoveTo(int64(s.ref))
		var other die
		if !u.readDIE(c, &other) {
			continue
		}
		if f, ok := u.frame(&other, s.lo); ok && !other.shape.children {
			aliases = append(aliases, f)
		}
	}
	return chain, aliases
}

const maxAliases = 16

const maxInlined = 256

// inlined reads the children of a function from c on and appends the calls inlined at addr. A call site is a position
// in the caller, so it is written to the preceding frame.
func (u *unit) inlined(c *elffile.Cursor, addr uint64, chain []Frame) []Frame {
	var d die
	for depth := 1; depth > 0 && c.More(); {
		if !u.readDIE(c, &d) {
			depth--
			continue
		}
		enter := false
		switch d.tag() {
		case dwarf.TagLexDwarfBlock:
			_, ok, has := u.covers(&d, addr)
			enter = ok || !has
		case dwarf.TagInlinedSubroutine:
			r, ok, _ := u.covers(&d, addr)
			if !ok || len(chain) > maxInlined {
				break
			}
			f, named := u.frame(&d, r.lo)
			if !named {
				break
			}
			f.Inlined = true
			caller := &chain[len(chain)-1]
			if v, ok := d.get(atCallFile); ok {
				caller.File = u.fileName(v.u)
			}
			if v, ok := d.get(atCallLine); ok && caller.File != "" {
				caller.Line = int(min(v.u, 1<<31-1))
			}
			chain = append(chain, f)
			depth = 0 // siblings of it or of its ancestors do not cover addr
			enter = true
		}
		if !d.shape.children {
			if depth == 0 {
				return chain
			}
			continue
		}
		if enter {
			depth++
			continue
		}
		if !u.skipChildren(c, &d) {
			u.skipSubtree(c)
		}
	}
	return chain
}

// skipSubtree reads past the children of the entry that c stands after.
func (u *unit) skipSubtree(c *elffile.Cursor) {
	var d die
	for depth := 1; depth > 0 && c.More(); {
		if !u.readDIE(c, &d) {
			depth--
		} else if d.shape.children && !u.skipChildren(c, &d) {
			depth++
		}
	}
}

// frame names the function of d, concrete or inlined, by following its references.
func (u *unit) frame(d *die, start uint64) (f Frame, ok bool) {
	f.Start = start
	var named *unit // the unit with the name
	var namedAt int64
	at := u
	var next die
	for range maxHops {
		info := at.file.section("info")
		if v, ok := d.get(atLinkage); ok {
			f.Linkage = at.str(v, info)
		}
		if v, ok := d.get(atName); ok && f.Name == "" {
			f.Name = at.str(v, info)
			named, namedAt = at, d.off
		}
		if f.Linkage != "" {
			return f, true
		}
		v, ok := d.get(atOrigin)
		if !ok {
			v, ok = d.get(atSpec)
		}
		if !ok {
			break
		}
		to, off, ok := at.ref(v)
		if !ok {
			break
		}
		c := to.file.section("info").Cursor(off, to.end)
		ok = to.readDIE(c, &next)
		c.Done()
		if !ok {
			break
		}
		at, d = to, &next
	}
	if f.Name == "" {
		return Frame{}, false
	}
	if named.mangles() {
		f.Name = named.qualify(f.Name, namedAt)
	}
	f.Mangles = u.mangles()
	return f, true
}

// qualify prefixes name with the namespaces, classes and functions that contain the DIE at off. Compilers omit the
// linkage names of constructors that exist only inlined, and of functions without linkage.
func (u *unit) qualify(name string, off int64) string {
	info := u.file.section("info")
	c := info.Cursor(u.dieOff, u.end)
	defer c.Done()
	var d die
	var scopes []string // of the ancestors of the entry at c
	for c.More() && c.Pos() < off {
		if !u.readDIE(c, &d) {
			if len(scopes) == 0 {
				return name
			}
			scopes = scopes[:len(scopes)-1]
			continue
		}
		if !d.shape.children {
			continue
		}
		if v, ok := d.get(atSibling); ok {
			if _, next, ok := u.ref(v); ok && next <= off && u.skipChildren(c, &d) {
				continue
			}
		}
		scope := ""
		switch d.tag() {
		case dwarf.TagNamespace, dwarf.TagClassType, dwarf.TagStructType, dwarf.TagUnionType, dwarf.TagSubprogram:
			if v, ok := d.get(atName); ok {
				scope = u.str(v, info)
			} else if d.tag() == dwarf.TagNamespace {
				scope = "(anonymous namespace)"
			} else if name == "operator()" {
				scope = "{lambda}"
			} else {
				scope = "{unnamed}"
			}
		}
		scopes = append(scopes, scope)
	}
	if c.Pos() != off {
		return name
	}
	var b strings.Builder
	for _, s := range scopes {
		if s != "" && b.Len() < elffile.MaxName {
			b.WriteString(s)
			b.WriteString("::")
		}
	}
	b.WriteString(name)
	return b.String()
}
