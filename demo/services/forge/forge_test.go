package forge

import "testing"

func TestCheckURL(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://git.example.org/me/fleet.git": true, "http://127.0.0.1:3000/me/fleet": true,
		"": false, "fleet.git": false, "git@git.example.org:me/fleet.git": false, "ssh://git@git.example.org/me/fleet": false,
		"https://me:token@git.example.org/me/fleet": false, "https://": false,
	} {
		if err := CheckURL(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}
