package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stopC := make(chan os.Signal, 1)
	signal.Notify(stopC, syscall.SIGINT, syscall.SIGTERM)
	childC := make(chan os.Signal, 1)
	signal.Notify(childC, syscall.SIGCHLD)

	// A child may have ended before Notify; nothing would tell of it again.
	reap()
	for {
		select {
		case <-stopC:
			return
		case <-childC:
			reap()
		}
	}
}

// reap collects every child that has ended. One SIGCHLD can stand for many
// children, so it asks until there is none left.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
	}
}
