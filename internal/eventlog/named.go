package eventlog

import (
	"strconv"

	"github.com/vmblame/vmblame/internal/vm"
)

// ExportFrame is a frame in the export document: the frame of the log and the function it lies in. An
// inlined call is a frame of its own, with the same pc, in front of the function it was inlined into.
// Frames without a name have only what the log's Frame has.
type ExportFrame struct {
	Frame
	Function       string  `json:"function,omitempty"`
	LinkageName    string  `json:"linkage_name,omitempty"`
	FunctionOffset *uint64 `json:"function_offset,omitempty"` // bytes from the function's start to the frame's offset
	File           string  `json:"file,omitempty"`
	Line           int     `json:"line,omitempty"`
	Inlined        *bool   `json:"inlined,omitempty"` // set on frames with a name
	SymbolSource   string  `json:"symbol_source,omitempty"`
}

// Place is an address of a module to look names up for.
type Place struct {
	Module int
	Offset Hex // as in Symbol
}

// Lookup is the address in the module at which f's names are looked up.
func (f Frame) Lookup() Hex {
	return Hex(vm.CodeAddr{PC: uint64(f.Offset), Call: f.Call}.Lookup())
}

// Place is the place at which the name of f is looked up.
func (f Frame) Place() Place { return Place{f.Module, f.Lookup()} }

// Place is the place that s names.
func (s *Symbol) Place() Place { return Place{s.Module, s.Offset} }

// appendNamedStack appends the object of s, its frames named.
func appendNamedStack(dst []byte, s *Stack, names map[Place]*Symbol) []byte {
	dst = appendInt(dst, `{"type":"stack","stack":`, int64(s.Stack))
	dst = append(dst, `,"frames":[`...)
	first := true
	for i := range s.Frames {
		f := &s.Frames[i]
		symbol := names[f.Place()]
		n := 1
		if symbol != nil {
			n = max(1, len(symbol.Frames))
		}
		for k := range n {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendFrame(dst, f)
			if symbol != nil && k < len(symbol.Frames) {
				dst = appendName(dst, f, symbol, &symbol.Frames[k])
			}
			dst = append(dst, '}')
		}
	}
	return appendStackEnd(dst, s)
}

func appendName(dst []byte, f *Frame, symbol *Symbol, name *SymbolFrame) []byte {
	dst = append(dst, `,"function":`...)
	dst = appendString(dst, name.Function)
	if name.LinkageName != "" {
		dst = append(dst, `,"linkage_name":`...)
		dst = appendString(dst, name.LinkageName)
	}
	if f.Offset >= name.Start {
		dst = appendUint(dst, `,"function_offset":`, uint64(f.Offset-name.Start))
	}
	if name.File != "" {
		dst = append(dst, `,"file":`...)
		dst = appendString(dst, name.File)
	}
	if name.Line != 0 {
		dst = appendInt(dst, `,"line":`, int64(name.Line))
	}
	dst = append(dst, `,"inlined":`...)
	dst = strconv.AppendBool(dst, name.Inlined)
	if symbol.Source != "" {
		dst = append(dst, `,"symbol_source":`...)
		dst = appendString(dst, symbol.Source)
	}
	return dst
}
