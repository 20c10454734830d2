// Package html makes pictures of logs: one page that holds all that it shows and asks nobody for anything, and a server on
// loopback that shows the same of a log that is too large for one file.
//
// Every picture is drawn from a Value, which is made of the answers of analysis at some moments of the log: what it shows
// of a moment is what `vmblame report LOG@MOMENT` has there, to the byte. The page is built from the sources in web into
// assets by `make web`, so that to build vmblame needs no node.
package html
