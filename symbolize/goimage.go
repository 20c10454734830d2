package symbolize

import "github.com/vmblame/vmblame/internal/elffile"

func openGoImage(f *elffile.File, opts Options) source { return nil }
func openPclntab(f *elffile.File, opts Options) source { return nil }
