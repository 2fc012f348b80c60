package drive

import "testing"

// A route is found in what ip monitor and tcpdump say of it.
func TestRouteOf(t *testing.T) {
	tests := []struct{ line, want string }{
		{"198.18.50.9 proto bgp metric 20 \\ nexthop via 172.30.1.11 dev eth0", "198.18.50.9"},
		{"fd42:50::9 via fe80::1 dev eth0 proto bird", "fd42:50::9"},
		{"Deleted 198.18.50.9 via 172.30.1.11 dev eth0", "Deleted"},
		{"\t\t198.18.50.9/32", "198.18.50.9"},
		{"\t    fd42:50::9/128", "fd42:50::9"},
		{"198.18.50.0/24 dev eth0", "198.18.50.0/24"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := routeOf(tt.line); got != tt.want {
			t.Errorf("%q: route %q, want %q", tt.line, got, tt.want)
		}
	}
}
