package inspect

import (
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// postgresMagic is PGShmemMagic of PostgreSQL's src/include/storage/pg_shmem.h.
const postgresMagic = 679834894

// findPostgres recognises the memory that PostgreSQL's processes share by the header at its start (PGShmemHeader): the magic
// number, who made it, its length and where what is free begins. The length is that of the mapping, up to a huge page.
func findPostgres(l *look) {
	if l.image2(func(m *Image) bool { return strings.HasPrefix(m.name(), "postgres") }) == nil {
		return
	}
	for i := range l.Rows {
		e := &l.Rows[i]
		if e.Perms&vm.Shared == 0 || !strings.HasPrefix(e.File.Path, "/dev/zero") {
			continue
		}
		w := l.words(e.Start, 3)
		if w == nil || uint32(w[0]) != postgresMagic || w[0]>>32 == 0 || w[2] > w[1] {
			continue
		}
		const huge = 2 << 20
		if size := w[1]; size <= e.Len() && e.Len()-size < huge && (vm.PageUp(size) == e.Len() || e.Len()%huge == 0) {
			l.add(classify.Finding{Kind: classify.SharedAnon, Detail: "PostgreSQL's shared memory", Confidence: classify.Certain,
				Evidence: "the header of PostgreSQL's segment, whose length is that of the mapping", Parts: []classify.Part{{Range: e.Range}}})
		}
	}
}
