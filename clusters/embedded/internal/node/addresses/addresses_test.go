package addresses

import "testing"

// TestLocalPorts lets the first two and the last of 27 clusters take 300 ports
// each, nearly as many as each has before it meets the next one's.
func TestLocalPorts(t *testing.T) {
	seen := map[int]int{}
	for _, cluster := range []int{0, 1, 26} {
		ports := NewPorts(cluster, 27)
		for range 300 {
			port, err := ports.Take()
			if err != nil {
				t.Fatal(err)
			}
			if other, twice := seen[port]; twice {
				t.Fatalf("clusters %d and %d both take port %d", other, cluster, port)
			}
			if port < firstLocalPort || port > lastLocalPort {
				t.Fatalf("port %d is outside of the range", port)
			}
			seen[port] = cluster
		}
	}
}

func TestIPs(t *testing.T) {
	ips := NewIPs()
	kept, err := ips.Take("a", "10.244.0.3")
	if err != nil || kept != "10.244.0.3" {
		t.Fatalf("got %q, %v, want the address of before", kept, err)
	}
	seen := map[string]bool{kept: true}
	for i := range 600 {
		ip, err := ips.Take("b", map[bool]string{true: "10.244.0.3", false: "127.0.0.1"}[i%2 == 0])
		if err != nil || seen[ip] {
			t.Fatalf("address %d: %q, %v", i, ip, err)
		}
		seen[ip] = true
	}
	ips.Release("b", "10.244.0.3") // not its own
	if ip, _ := ips.Take("c", "10.244.0.3"); ip == "10.244.0.3" {
		t.Error("an address was given twice")
	}
	ips.Release("a", "10.244.0.3")
	if ip, _ := ips.Take("c", "10.244.0.3"); ip != "10.244.0.3" {
		t.Errorf("a released address was not given again: %s", ip)
	}
}
