#!/bin/sh
# Install those of Debian's packages that the real parts need and that are missing.
# Takes the name of the Python that environments are made with.
set -eu
if ! command -v dpkg-query >/dev/null; then
	echo "not Debian: Chromium and the C++ and OpenMP run-time libraries must be there already" >&2
	exit 0
fi
wanted="chromium libgomp1 libstdc++6"
"${1:-python3}" -c 'import ensurepip' 2>/dev/null || wanted="$wanted python3-venv"
missing=
for package in $wanted; do
	dpkg-query --show --showformat='${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' ||
		missing="$missing $package"
done
[ -z "$missing" ] && exit 0
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
apt-get install -qq --yes --no-install-recommends $missing >/dev/null
