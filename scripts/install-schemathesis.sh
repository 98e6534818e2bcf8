#!/usr/bin/env bash
# Installs schemathesis, pinned with everything it needs by hash, into a virtual environment in a cache outside the
# repository, and prints the path of its Python. Needs Python 3.11 or newer with `venv`.
#
#   scripts/install-schemathesis.sh [--check]
#
# With --check it installs nothing and fails where there is none yet.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=packages/proof/fuzz/requirements.txt
cache=${VPNMGR_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/vpnmgr}/schemathesis
command -v python3 >/dev/null || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv" >&2; exit 1; }
# Another list of packages or another Python is another environment.
name=$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read() + sys.version.encode()).hexdigest()[:16])' "$requirements")
target=$cache/$name

if [ -x "$target/bin/python" ] && "$target/bin/python" -c 'import schemathesis, psycopg' 2>/dev/null; then
  echo "$target/bin/python"
  exit 0
fi
[ "${1:-}" != --check ] || exit 1
mkdir -p "$cache"
rm -rf "$target"
trap 'rm -rf "$target"' ERR
python3 -m venv "$target" >&2
"$target/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$requirements" >&2
echo "$target/bin/python"
