#!/bin/sh
# Installs what the tests need and is not there yet. The tests push with the
# real git and look at slides in a real browser; npm builds the web app.
# Everything else comes with Go.
set -eu

missing=
for program in git curl npm chromium; do
	command -v "$program" >/dev/null || missing="$missing $program"
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
