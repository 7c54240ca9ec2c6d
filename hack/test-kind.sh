#!/usr/bin/env bash
# Runs the suite for all kinds of clusters on kind: in a container engine, on
# a node image that no registry was asked for. Where no engine runs, it
# installs Debian's and starts it in an isolated network namespace,
# in which the suite then runs too, and leaves neither of them behind.
# FLUXDEMO_BUNDLE says where the bundle is; KEEP=1 leaves the engine running, with the image.
set -euo pipefail
cd "$(dirname "$0")/.."

suite() {
	"$@" build/tools/slowest -count=1 -v -timeout 25m -run '^(TestConformance|TestKind)$/^(kind|heals)$' ${TESTFLAGS:-} ./cmd/fluxdemo
}

# untested prints a visible warning, and lets the suite count it.
untested() {
	echo "=== NOT TESTED ON KIND: $1 ===" >&2
	FLUXDEMO_TEST_NODE_IMAGE='' suite
	exit 0
}

mkdir -p build/tools
go build -o build/tools/engine ./hack/engine
go build -o build/tools/slowest ./hack/slowest
engine=build/tools/engine
if ! $engine status >/dev/null 2>&1; then
	hack/deps.sh dockerd:docker.io iptables || untested 'no container engine runs, and none can be installed'
	[ -n "${KEEP:-}" ] || trap '$engine down' EXIT
fi
where=$($engine up) || untested 'no container engine can be started'
eval "$where" # DOCKER_HOST, if it is ours

# What fails from here on is a failure, and no reason to skip.
hack/deps.sh mmdebstrap
FLUXDEMO_TEST_NODE_IMAGE=$(cd hack/nodeimage && CGO_ENABLED=0 go run -trimpath . -bundle "$FLUXDEMO_BUNDLE" -load)
export FLUXDEMO_TEST_NODE_IMAGE
go test -c -o build/tools/suite.test ./cmd/fluxdemo # while the network is there for its modules
# Only an engine of ours may be restarted.
[ -z "${DOCKER_HOST:-}" ] || export FLUXDEMO_TEST_ENGINE="$PWD/$engine -dir $PWD/build/engine"
suite $engine run --
