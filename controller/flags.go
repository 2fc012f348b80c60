package main

import (
	"crypto/rand"
	"io"
	"os"

	"github.com/heraldlb/herald/internal/program"
)

// settings are what the flags and the environment say.
type settings struct {
	program.Settings
	leaderElect bool
}

// parse reads the flags; with -h or -version it has printed what was asked for.
func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{Settings: program.Settings{MetricsAddress: ":8080", HealthAddress: ":8081"}}
	f := s.Flags("controller", stderr)
	f.BoolVar(&s.leaderElect, "leader-elect", false, "act only while holding the lease; needed with several replicas")
	return s, s.Parse(f, args)
}

// identity is the name to compete for the lease with; empty when there is no
// competition. The pod's own name lets a container that is started again take
// back the lease it held; without it a random part keeps processes apart that
// run on one host.
func (s settings) identity() string {
	if !s.leaderElect {
		return ""
	}
	if pod := os.Getenv("POD_NAME"); pod != "" {
		return pod
	}
	host, err := os.Hostname()
	if err != nil {
		host = "controller"
	}
	return host + "_" + rand.Text()
}
