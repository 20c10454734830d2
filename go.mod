module github.com/vmblame/vmblame

go 1.26.0

require (
	github.com/go-delve/delve v1.27.2 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/tidwall/btree v1.8.2 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
