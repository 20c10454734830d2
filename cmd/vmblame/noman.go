//go:build !man

package main

import "github.com/spf13/cobra"

// packagers are the commands for those who package vmblame: see man.go.
func packagers() []*cobra.Command { return nil }
