package export

import (
	"encoding/csv"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// A csvFile writes the fields of rows.
type csvFile struct {
	w     *csv.Writer
	cells []string
}

func newCSVFile(to io.Writer, row reflect.Type) tableFile {
	f := &csvFile{w: csv.NewWriter(to)}
	for x := range row.Fields() {
		f.cells = append(f.cells, column(x))
	}
	_ = f.w.Write(f.cells) // close says it
	return f
}

// column is the name of a field's column.
func column(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
	return name
}

func (f *csvFile) put(row any) error {
	f.cells = f.cells[:0]
	for _, v := range reflect.ValueOf(row).Fields() {
		f.cells = append(f.cells, cell(v))
	}
	return f.w.Write(f.cells)
}

// cell is a value as text, "" for null.
func cell(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	}
	return v.String()
}

func (f *csvFile) close() error {
	f.w.Flush()
	return f.w.Error()
}
