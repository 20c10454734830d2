package report

// ReportJSON is Report for programs.
func (s *Scene) ReportJSON(o ReportOptions) any { return nil }
