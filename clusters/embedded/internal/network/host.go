package network

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	clusterDomain = ".cluster.local"
	serviceDomain = ".svc" + clusterDomain
)

// failure is an error that a client may see as it is: one line and the HTTP
// status that goes with it.
type failure struct {
	status int
	text   string
}

func (f *failure) Error() string { return f.text }

func fail(status int, format string, args ...any) error {
	return &failure{status: status, text: fmt.Sprintf(format, args...)}
}

// statusOf says what to answer for err.
func statusOf(err error) int {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.status
	}
	return http.StatusBadGateway
}

// servicePort is a Service and one of its ports.
type servicePort struct {
	namespace, name string
	port            int32
}

func (s servicePort) key() string    { return s.namespace + "/" + s.name }
func (s servicePort) String() string { return "Service " + s.key() }

// parseHost reads host[:port]. inCluster says that the name belongs to the
// cluster and must never leave it, also when err says what is wrong with it.
func parseHost(hostport string, defaultPort int32) (target servicePort, inCluster bool, err error) {
	host, port := hostport, ""
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 {
		host, port = hostport[:i], hostport[i+1:]
	}
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	if !strings.HasSuffix("."+name, clusterDomain) {
		return servicePort{}, false, nil
	}
	labels := strings.Split(strings.TrimSuffix(name, serviceDomain), ".")
	if !strings.HasSuffix(name, serviceDomain) || len(labels) != 2 ||
		len(validation.IsDNS1123Label(labels[0])) > 0 || len(validation.IsDNS1123Label(labels[1])) > 0 {
		return servicePort{}, true, fail(http.StatusBadGateway,
			"%q does not name a Service; it has to be <service>.<namespace>%s", host, serviceDomain)
	}
	number := defaultPort
	if port != "" {
		parsed, err := strconv.ParseUint(port, 10, 16)
		if err != nil || parsed == 0 {
			return servicePort{}, true, fail(http.StatusBadRequest, "%q is not a port number", port)
		}
		number = int32(parsed)
	}
	return servicePort{namespace: labels[1], name: labels[0], port: number}, true, nil
}
