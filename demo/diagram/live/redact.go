package live

import (
	"net/url"
	"regexp"
	"strings"
)

// veil stands for what is not shown.
const veil = "********"

// secretive reports whether a field or variable of that name may hold a secret. References to Secrets are objects and
// have a name, which may be shown.
func secretive(name string) bool {
	name = strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "").Replace(name))
	for _, word := range []string{"password", "passwd", "token", "apikey", "privatekey", "accesskey", "secretkey", "clientsecret", "credential"} {
		if strings.HasSuffix(name, word) || strings.HasSuffix(name, word+"s") {
			return true
		}
	}
	return name == "secret"
}

// redact hides in an object, in place, what could be a secret: fields and variables whose names suggest one, and all
// parts of addresses except host and path. It cuts an address outside the cluster after the host, because the addresses
// of chats are secrets as a whole.
func redact(v any) any {
	switch v := v.(type) {
	case map[string]any:
		name, _ := v["name"].(string)
		for key, value := range v {
			text, isText := value.(string)
			switch {
			case isText && (secretive(key) || key == "value" && secretive(name)):
				v[key] = veil
			case isText && key == "address":
				v[key] = host(text)
			default:
				v[key] = redact(value)
			}
		}
	case []any:
		for i := range v {
			v[i] = redact(v[i])
		}
	case string:
		return hidden(v)
	}
	return v
}

// hidden hides passwords in the addresses within a text.
func hidden(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	return regexp.MustCompile(`(://)[^/@\s"']+@`).ReplaceAllString(s, "${1}"+veil+"@")
}

// host hides the path of an address that is not one within a cluster.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return veil
	}
	if strings.HasSuffix(u.Hostname(), ".svc.cluster.local") || u.Path == "" && u.RawQuery == "" && u.User == nil {
		return hidden(address)
	}
	return u.Scheme + "://" + u.Host + "/" + veil
}
