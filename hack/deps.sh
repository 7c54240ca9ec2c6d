#!/bin/sh
# Installs programs that are not there yet. An argument names one, and after a
# colon Debian's package if that is called something else. Without arguments:
# what the tests need. They push with the real git, look at slides in a real
# browser, and measure against ps; npm builds the web app; the rest comes with Go.
set -eu

[ $# -gt 0 ] || set -- git curl npm chromium ps:procps
missing=
for program; do
	command -v "${program%:*}" >/dev/null || missing="$missing ${program#*:}"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
	echo "install these, then run this again:$missing" >&2
	exit 1
fi
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
$as_root apt-get update -q
# shellcheck disable=SC2086 # several words
$as_root apt-get install -qy --no-install-recommends $missing
