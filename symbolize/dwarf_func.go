package symbolize

import (
	"cmp"
	"debug/dwarf"
	"strings"
)

const maxHops = 16 // references followed from a function to what names it

const tagCallSite, tagGNUCallSite dwarf.Tag = 0x48, 0x4109

// functions returns the unit's functions by address range.
func (u *unit) functions() spans {
	if u.indexed {
		return u.funcs
	}
	u.indexed = true
	c := cursorAt(u.file.section("info"), u.dieOff, u.end)
	defer c.done()
	var d die
	for c.more() {
		if !u.readDIE(c, &d) {
			continue // the end of a list of siblings, or bad
		}
		switch d.tag() {
		case dwarf.TagSubprogram:
			u.ranges(&d, func(lo, hi uint64) bool {
				if u.file.exec.holdsRange(lo, hi) && len(u.funcs) < maxSpans {
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

// skipChildren moves c, which stands after d, past d's children, and reports false where d does not say
// where they end.
func (u *unit) skipChildren(c *cursor, d *die) bool {
	v, ok := d.get(atSibling)
	if !ok || !d.shape.children {
		return false
	}
	_, off, ok := u.ref(v)
	if !ok || off <= d.off || off < c.pos || off > u.end {
		return false
	}
	c.seek(off)
	return true
}

// function appends the chain of functions at addr, innermost inlined first; none where no function of the
// unit covers addr. The innermost frame has no file and line yet. bare tells that the last has no linkage
// name though its language has them.
func (u *unit) function(addr uint64) (frames []Frame, bare bool) {
	var best span
	var twins []span // the same code under other names, as assemblers write aliases
	u.functions().at(addr, func(s span) bool {
		switch {
		case best.hi == 0:
			best = s
		case s.lo != best.lo || s.hi != best.hi || len(twins) == maxTwins:
			return false
		default:
			twins = append(twins, s)
		}
		return true
	})
	if best.hi == 0 {
		return nil, false
	}
	c := cursorAt(u.file.section("info"), int64(best.ref), u.end)
	defer c.done()
	var d die
	if !u.readDIE(c, &d) {
		return nil, false
	}
	outer, bare, ok := u.frame(&d, best.lo)
	if !ok {
		return nil, false
	}
	if !d.shape.children {
		for _, s := range twins {
			c.seek(int64(s.ref))
			var other die
			if !u.readDIE(c, &other) {
				continue
			}
			if f, b, ok := u.frame(&other, s.lo); ok && !other.shape.children && plainer(f.Function, outer.Function) {
				outer, bare = f, b
			}
		}
	}
	chain := []Frame{outer} // outermost first
	if d.shape.children {
		chain = u.inlined(c, addr, chain)
	}
	for i := len(chain) - 1; i >= 0; i-- {
		frames = append(frames, chain[i])
	}
	return frames, bare
}

const maxTwins = 16

// plainer reports whether a is to name a function that b names too: no leading "__", the shorter.
func plainer(a, b string) bool {
	if x, y := strings.HasPrefix(a, "__"), strings.HasPrefix(b, "__"); x != y {
		return y
	}
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) < 0
}

const maxInlined = 256

// inlined reads the children of a function from c on and appends what is inlined at addr. A frame's own
// call site is where its caller stands, so it is written into the frame before.
func (u *unit) inlined(c *cursor, addr uint64, chain []Frame) []Frame {
	var d die
	for depth := 1; depth > 0 && c.more(); {
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
			f, _, named := u.frame(&d, r.lo)
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
			depth = 0 // what lies beside it or its ancestors does not cover addr
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
func (u *unit) skipSubtree(c *cursor) {
	var d die
	for depth := 1; depth > 0 && c.more(); {
		if !u.readDIE(c, &d) {
			depth--
		} else if d.shape.children && !u.skipChildren(c, &d) {
			depth++
		}
	}
}

// frame names the function of d, a concrete or an inlined one, by what it refers to.
func (u *unit) frame(d *die, start uint64) (f Frame, bare, ok bool) {
	var name, linkage string
	var named *unit // where name stands
	var namedAt int64
	at := u
	var next die
	for range maxHops {
		info := at.file.section("info")
		if v, ok := d.get(atLinkage); ok {
			linkage = at.str(v, info)
		}
		if v, ok := d.get(atName); ok && name == "" {
			name = at.str(v, info)
			named, namedAt = at, d.off
		}
		if linkage != "" {
			f := newFrame(linkage, start)
			if f.LinkageName == "" && name != "" && name != linkage {
				// C: the name in the source, and the symbol that an asm label made of it.
				f.Function, f.LinkageName = name, linkage
			}
			return f, false, true
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
		c := cursorAt(to.file.section("info"), off, to.end)
		ok = to.readDIE(c, &next)
		c.done()
		if !ok {
			break
		}
		at, d = to, &next
	}
	if name == "" {
		return Frame{}, false, false
	}
	if named.mangles() {
		name = named.qualify(name, namedAt)
	}
	return Frame{Function: name, Start: start}, u.mangles(), true
}

// qualify puts the namespaces, classes and functions that the DIE at off lies in before its name. Compilers
// leave out the linkage names of constructors that exist only inlined, and of what has no linkage.
func (u *unit) qualify(name string, off int64) string {
	c := cursorAt(u.file.section("info"), u.dieOff, u.end)
	defer c.done()
	var d die
	var scopes []string // of the ancestors of what c stands at
	for c.more() && c.pos < off {
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
				scope = u.str(v, c.s)
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
	if c.pos != off {
		return name
	}
	var b strings.Builder
	for _, s := range scopes {
		if s != "" && b.Len() < maxName {
			b.WriteString(s)
			b.WriteString("::")
		}
	}
	b.WriteString(name)
	return b.String()
}
