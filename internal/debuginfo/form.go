package debuginfo

import "github.com/vmblame/vmblame/internal/elffile"

// A form is the encoding of an attribute (DWARF 5, 7.5.6, and the GNU extensions).
type form uint16

const (
	formAddr          form = 0x01
	formBlock2        form = 0x03
	formBlock4        form = 0x04
	formData2         form = 0x05
	formData4         form = 0x06
	formData8         form = 0x07
	formString        form = 0x08
	formBlock         form = 0x09
	formBlock1        form = 0x0a
	formData1         form = 0x0b
	formFlag          form = 0x0c
	formSdata         form = 0x0d
	formStrp          form = 0x0e
	formUdata         form = 0x0f
	formRefAddr       form = 0x10
	formRef1          form = 0x11
	formRef2          form = 0x12
	formRef4          form = 0x13
	formRef8          form = 0x14
	formRefUdata      form = 0x15
	formIndirect      form = 0x16
	formSecOffset     form = 0x17
	formExprloc       form = 0x18
	formFlagPresent   form = 0x19
	formStrx          form = 0x1a
	formAddrx         form = 0x1b
	formRefSup4       form = 0x1c
	formStrpSup       form = 0x1d
	formData16        form = 0x1e
	formLineStrp      form = 0x1f
	formRefSig8       form = 0x20
	formImplicitConst form = 0x21
	formLoclistx      form = 0x22
	formRnglistx      form = 0x23
	formRefSup8       form = 0x24
	formStrx1         form = 0x25
	formStrx2         form = 0x26
	formStrx3         form = 0x27
	formStrx4         form = 0x28
	formAddrx1        form = 0x29
	formAddrx2        form = 0x2a
	formAddrx3        form = 0x2b
	formAddrx4        form = 0x2c
	formGNUAddrIndex  form = 0x1f01
	formGNUStrIndex   form = 0x1f02
	formGNURefAlt     form = 0x1f20
	formGNUStrpAlt    form = 0x1f21
)

// A value is an undecoded attribute: a number, an index or an offset, depending on its form. For formString it is the
// string's position in the section being read.
type value struct {
	form form
	u    uint64
}

// readValue reads an attribute; blocks are skipped.
func readValue(c *elffile.Cursor, h *unitHeader, f form, implicit int64) value {
	for range 4 { // DW_FORM_indirect may name itself
		v := value{form: f}
		switch f {
		case formAddr:
			v.u = c.Uint(h.addrSize)
		case formData1, formFlag, formRef1, formStrx1, formAddrx1:
			v.u = uint64(c.U8())
		case formData2, formRef2, formStrx2, formAddrx2:
			v.u = uint64(c.U16())
		case formStrx3, formAddrx3:
			v.u = uint64(c.U24())
		case formData4, formRef4, formRefSup4, formStrx4, formAddrx4:
			v.u = uint64(c.U32())
		case formData8, formRef8, formRefSig8, formRefSup8:
			v.u = c.U64()
		case formData16:
			c.Skip(16)
		case formSdata:
			v.u = uint64(c.Sleb())
		case formUdata, formRefUdata, formStrx, formAddrx, formLoclistx, formRnglistx, formGNUAddrIndex, formGNUStrIndex:
			v.u = c.Uleb()
		case formStrp, formLineStrp, formSecOffset, formStrpSup, formGNURefAlt, formGNUStrpAlt:
			v.u = offset(c, h.dwarf64)
		case formRefAddr:
			if h.version == 2 {
				v.u = c.Uint(h.addrSize)
			} else {
				v.u = offset(c, h.dwarf64)
			}
		case formString:
			v.u = uint64(c.Pos())
			c.SkipString()
		case formBlock1:
			c.Skip(uint64(c.U8()))
		case formBlock2:
			c.Skip(uint64(c.U16()))
		case formBlock4:
			c.Skip(uint64(c.U32()))
		case formBlock, formExprloc:
			c.Skip(c.Uleb())
		case formFlagPresent:
			v.u = 1
		case formImplicitConst:
			v.u = uint64(implicit)
		case formIndirect:
			f = form(min(c.Uleb(), 0xffff))
			continue
		default:
			c.Fail()
		}
		return v
	}
	c.Fail()
	return value{}
}

// isAddr reports whether the value is an address or an address index, rather than an offset.
func (v value) isAddr() bool {
	switch v.form {
	case formAddr, formAddrx, formAddrx1, formAddrx2, formAddrx3, formAddrx4, formGNUAddrIndex:
		return true
	}
	return false
}

// addr is the address that v stands for.
func (u *unit) addr(v value) (uint64, bool) {
	if v.form == formAddr {
		return v.u, true
	}
	if !v.isAddr() {
		return 0, false
	}
	return u.addrIndex(v.u)
}

// addrIndex reads entry i of the unit's part of .debug_addr.
func (u *unit) addrIndex(i uint64) (uint64, bool) {
	s := u.addrSection
	if s == nil || i > uint64(s.Size()) {
		return 0, false
	}
	off := int64(u.addrBase + i*uint64(u.addrSize))
	c := s.Cursor(off, min(off+int64(u.addrSize), s.Size()))
	defer c.Done()
	v := c.Uint(u.addrSize)
	return v, !c.Bad()
}

// str reads the string that v stands for; inline is the section that formString refers to.
func (u *unit) str(v value, inline *elffile.Section) string {
	switch v.form {
	case formString:
		return inline.String(v.u)
	case formStrp:
		return u.file.section("str").String(v.u)
	case formLineStrp:
		return u.file.section("line_str").String(v.u)
	case formStrpSup, formGNUStrpAlt:
		if alt := u.file.supplement(); alt != nil {
			return alt.section("str").String(v.u)
		}
	case formStrx, formStrx1, formStrx2, formStrx3, formStrx4, formGNUStrIndex:
		s := u.file.section("str_offsets")
		size := int64(4)
		if u.dwarf64 {
			size = 8
		}
		if s == nil || v.u > uint64(s.Size()) {
			return ""
		}
		off := int64(u.strBase + v.u*uint64(size))
		c := s.Cursor(off, min(off+size, s.Size()))
		defer c.Done()
		if at := offset(c, u.dwarf64); !c.Bad() {
			return u.file.section("str").String(at)
		}
	}
	return ""
}

// ref finds the DIE that v refers to: the unit that holds it and its position.
func (u *unit) ref(v value) (*unit, int64, bool) {
	switch v.form {
	case formRef1, formRef2, formRef4, formRef8, formRefUdata:
		off := u.off + int64(v.u)
		return u, off, int64(v.u) >= 0 && off > u.off && off < u.end
	case formRefAddr:
		if int64(v.u) >= u.dieOff && int64(v.u) < u.end {
			return u, int64(v.u), true
		}
		to := u.file.unitHolding(int64(v.u))
		return to, int64(v.u), to != nil
	case formRefSup4, formRefSup8, formGNURefAlt:
		if alt := u.file.supplement(); alt != nil {
			to := alt.unitHolding(int64(v.u))
			return to, int64(v.u), to != nil
		}
	}
	return nil, 0, false
}
