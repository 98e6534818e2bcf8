#!/usr/bin/env bash
# Builds one sing-box version, with per-user statistics, into a cache outside the repository, and prints its path.
# The official binaries lack `with_v2ray_api`, so a stock sing-box counts nobody: it has to be built.
#
#   scripts/install-sing-box.sh 1.12.12
set -euo pipefail

version=${1:?which version, e.g. 1.12.12}
cache=${VPNMGR_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/vpnmgr}/sing-box
target=$cache/$version/sing-box

if [ -x "$target" ] && "$target" version >/dev/null 2>&1; then
  echo "$target"
  exit 0
fi
command -v go >/dev/null || { echo "Go is needed to build sing-box $version: https://go.dev/doc/install" >&2; exit 1; }

tags=with_v2ray_api,with_quic,with_utls,with_clash_api,with_gvisor,with_grpc
flags="-s -w -X github.com/sagernet/sing-box/constant.Version=$version"
case $version in
  1.1[0-2].*) tags=$tags,with_wireguard ;;
  # From 1.13 on these two tags and the linker flag are what sing-box's own build uses on a current Go.
  *) tags=$tags,badlinkname,tfogo_checklinkname0 flags="$flags -checklinkname=0" ;;
esac

mkdir -p "$cache/$version"
work=$(mktemp -d "$cache/$version/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
GOBIN=$work GOFLAGS=-buildvcs=false go install -trimpath -tags "$tags" -ldflags "$flags" \
  "github.com/sagernet/sing-box/cmd/sing-box@v$version" >&2
mv "$work/sing-box" "$target"
echo "$target"
