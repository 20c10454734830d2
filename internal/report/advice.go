package report

import (
	"fmt"

	"github.com/vmblame/vmblame/internal/classify"
)

// An advice is what one kind of memory costs, and how that is changed.
type advice struct {
	kind  classify.Kind
	bytes int64 // that would be spared
	text  string
}

func (s *Scene) advice(p *process) []advice { return nil }

func appendAdvice(b []byte, list []advice, l Look) []byte {
	for _, a := range list {
		b = append(b, fold(fmt.Sprintf("advice: %s", a.text), l.Width, "        ")...)
		b = append(b, '\n')
	}
	return b
}
