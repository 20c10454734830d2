package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/html"
)

func serveCommand() *cobra.Command {
	var pids []int
	var port uint16
	cmd := &cobra.Command{
		Use:   "serve [flags] LOG [LOG2]",
		Short: "Show the pictures of a log in a browser, on this machine alone",
		Long: `Shows what vmblame html draws, of logs that are too large for one file: the page asks for more moments where it is
looked at closely, and for everything that happened at an address. It listens on 127.0.0.1 alone, and answers only who has
the address that it prints. Ctrl-C ends it.`,
		Args:              between("LOG", "LOG2"),
		ValidArgsFunction: completeLogs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var logs []*logFile
			defer func() {
				for _, log := range logs {
					log.close()
				}
			}()
			p, err := readPictures(cmd, args, pids, html.Served(), func(log *logFile) { logs = append(logs, log) })
			if err != nil {
				return err
			}
			var sources []html.Source
			for _, log := range logs {
				log.bar.end()
				sources = append(sources, html.Source{Open: log.open, Name: log.name})
			}
			s, err := html.NewServer(p, sources, pids)
			if err != nil {
				return failed("serve: %w", err)
			}
			l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
			if err != nil {
				return failed("serve: %w", err)
			}
			return serve(cmd, l, s)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.Uint16Var(&port, "port", 0, "listen on `PORT`, 0 for any that is free")
	f.IntSliceVar(&pids, "pid", nil, "only the process with this `PID`")
	return cmd
}

// serve answers until a signal comes.
func serve(cmd *cobra.Command, l net.Listener, s *html.Server) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	over := make(chan error, 1)
	go func() { over <- server.Serve(l) }()
	fmt.Fprintf(cmd.OutOrStdout(), "http://%s%s\n", l.Addr(), s.Path())
	select {
	case err := <-over:
		return failed("serve: %w", err)
	case <-ctx.Done():
	}
	if err := server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return failed("serve: %w", err)
	}
	return nil
}
