package vm

// Touching returns the rows that share bytes with a range; rows are ascending.
func Touching(rows []Mapping, at Range) []Mapping {
	i := 0
	for i < len(rows) && rows[i].End <= at.Start {
		i++
	}
	j := i
	for j < len(rows) && rows[j].Start < at.End {
		j++
	}
	return rows[i:j]
}
