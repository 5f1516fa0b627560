#!/bin/sh
# Install those of Debian's packages that the real parts need and that are missing.
set -eu
if ! command -v dpkg-query >/dev/null; then
	echo "not Debian: the C++ and OpenMP run-time libraries must be there already" >&2
	exit 0
fi
missing=
for package in libgomp1 libstdc++6; do
	dpkg-query --show --showformat='${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' ||
		missing="$missing $package"
done
[ -z "$missing" ] && exit 0
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
apt-get install -qq --yes --no-install-recommends $missing >/dev/null
