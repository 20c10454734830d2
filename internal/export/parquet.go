package export

import (
	"io"

	"github.com/parquet-go/parquet-go"
)

// parquetRows is how many rows are encoded together: memory for them is bounded by it.
const parquetRows = 1 << 17

// A parquetFile writes rows of type T.
type parquetFile[T any] struct {
	w    *parquet.GenericWriter[T]
	rows []T // not passed on to w yet
}

func newParquetFile[T any](to io.Writer) tableFile {
	return &parquetFile[T]{w: parquet.NewGenericWriter[T](to, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(parquetRows), parquet.CreatedBy("vmblame", "", ""))}
}

func (f *parquetFile[T]) put(row any) error {
	if f.rows = append(f.rows, row.(T)); len(f.rows) < 1024 {
		return nil
	}
	return f.pass()
}

func (f *parquetFile[T]) pass() error {
	_, err := f.w.Write(f.rows)
	f.rows = f.rows[:0]
	return err
}

func (f *parquetFile[T]) close() error {
	if err := f.pass(); err != nil {
		return err
	}
	return f.w.Close()
}
