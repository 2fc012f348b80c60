package capture

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJoin(t *testing.T) {
	tests := []struct {
		name, out string
		want      []string
	}{
		{name: "nothing", want: []string{}},
		{
			name: "continued packets",
			out: "2026-01-01 00:00:00.000001 a > b, ethertype IPv4: (ttl 64)\n" +
				"    10.0.0.1.1 > 10.0.0.2.2: tcp 0\n" +
				"\toption\n" +
				"2026-01-01 00:00:00.000002 c > d, ethertype ARP: Request\n",
			want: []string{
				"2026-01-01 00:00:00.000001 a > b, ethertype IPv4: (ttl 64) 10.0.0.1.1 > 10.0.0.2.2: tcp 0 option",
				"2026-01-01 00:00:00.000002 c > d, ethertype ARP: Request",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, join([]byte(tt.out))); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestText(t *testing.T) {
	r := &Report{Host: "client", Interface: "eth0", File: "x.pcap", Packets: 1, Lines: []string{"a packet"}}
	if diff := cmp.Diff("a packet\n1 packets on client eth0 in x.pcap\n", r.Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}
