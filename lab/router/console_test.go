package router

import (
	"bufio"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
)

// A console asks FRR and BIRD for a prefix, and knows an answer's end.
func TestConsole(t *testing.T) {
	tests := []struct {
		name, socket, greeting, prefix, question string
		end                                      byte // of a question
		answers                                  []string
		want                                     []bool
	}{
		{
			name: "FRR", socket: bgpdSocket, prefix: "fd42:50::9/128", question: "show bgp ipv6 unicast fd42:50::9/128\x00", end: 0,
			answers: []string{"% Network not in table\n\x00\x00\x00\x01", "BGP routing table entry for fd42:50::9/128, version 5\n\x00\x00\x00\x00"},
			want:    []bool{false, true},
		},
		{
			name: "BIRD", socket: birdSocket, greeting: "0001 BIRD 2.0.12 ready.\n", prefix: "198.18.50.9/32", question: "show route 198.18.50.9/32\n", end: '\n',
			answers: []string{"8001 Network not found\n", "1007-Table master4:\n 198.18.50.9/32 unicast [node1 09:00:00.000] * (100) [AS64512i]\n \tvia 172.30.1.11 on eth0\n0000 \n"},
			want:    []bool{false, true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), tt.socket)
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			asked := make(chan string, len(tt.answers))
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Write([]byte(tt.greeting))
				in := bufio.NewReader(conn)
				for _, a := range tt.answers {
					question, _ := in.ReadString(tt.end)
					asked <- question
					_, _ = conn.Write([]byte(a))
				}
				_ = conn.Close()
			}()
			c, err := Dial(t.Context(), socket)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range tt.want {
				got, err := c.Has(netip.MustParsePrefix(tt.prefix))
				if q := <-asked; err != nil || got != want || q != tt.question {
					t.Errorf("question %d: %q, has it: %t, error %v; want %q, %t", i, q, got, err, tt.question, want)
				}
			}
			if _, err := c.Has(netip.MustParsePrefix(tt.prefix)); err == nil {
				t.Error("no error at the end of the connection")
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
