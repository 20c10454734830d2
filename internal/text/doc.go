// Package text writes tables, sizes, times and names for people: aligned columns that fit a terminal, bytes as "64.0
// MiB", names without terminal control sequences. It knows nothing of logs or of what the figures mean.
package text
