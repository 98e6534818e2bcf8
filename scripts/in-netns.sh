#!/usr/bin/env bash
# Runs a command in a network namespace of its own, where 203.0.113.10 and 203.0.113.11 are local addresses that a
# tunnel may reach: sing-box refuses private destinations, so an origin on 127.0.0.1 would be out of reach. Nothing can
# leave the namespace. VPNMGR_NETNS=1 tells the command where it is; where namespaces are not permitted it runs
# without, and tests that need one are skipped by name.
#
#   scripts/in-netns.sh vitest run
set -euo pipefail

flags=-n
[ "$(id -u)" -eq 0 ] || flags=-rn
if [ "${VPNMGR_NETNS:-}" = 1 ] || ! unshare $flags ip link set lo up 2>/dev/null; then
  exec "$@"
fi
exec unshare $flags env VPNMGR_NETNS=1 sh -c '
  ip link set lo up
  for address in 203.0.113.10 203.0.113.11; do ip address add $address/32 dev lo; done
  exec "$@"' in-netns "$@"
