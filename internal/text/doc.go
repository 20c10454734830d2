// Package text writes tables, sizes, times and names for people: aligned columns that fit a terminal, bytes as
// "64.0 MiB", names that cannot move a cursor. It knows nothing of logs and of what the figures mean.
package text
