#!/usr/bin/env bash
# Everything that can be checked without running the product: `npm run check`. Each step says one line; what a failed
# step printed follows it. The steps go on after a failure, and the end names what failed.
set -uo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/node_modules/.bin:$PATH

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=()

step() {
  local name=$1 began=$SECONDS
  shift
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
    printf 'ok      %-18s %3ds  %s\n' "$name" $((SECONDS - began)) "$(tail -n 1 "$log" | cut -c 1-110)"
  else
    failed+=("$name")
    printf 'FAILED  %-18s %3ds\n' "$name" $((SECONDS - began))
    sed 's/^/        /' "$log" | tail -n "${VPNMGR_CHECK_LINES:-60}"
  fi
}

types() { tsc -b packages/*/tsconfig.json && echo "$(ls -d packages/*/tsconfig.json | wc -l) packages"; }
test_types() { tsc -p tsconfig.test.json && echo "tests, scripts and examples"; }
formatting() { oxfmt --check . && echo "as oxfmt writes it"; }
unused_code() { knip --no-progress --no-config-hints && echo "no file, export or dependency without use"; }

# npm writes a lock file it then refuses when a tool's platform packages are not all published yet.
lock_file() { npm ci --dry-run --ignore-scripts --no-audit --no-fund --loglevel=error && echo "npm ci takes it"; }

# Published packages are judged as npm would get them: built, packed, and read the way each resolver reads them.
published() {
  local dir names=()
  npm run --silent build || return 1
  for dir in packages/*/; do
    node -e 'process.exit(require(process.argv[1]).private ? 1 : 0)' "$PWD/$dir/package.json" || continue
    names+=("$(basename "$dir")")
    echo "$dir" && publint --strict "$dir" || return 1
    # A package without a main entry (the command line) has no types to resolve.
    node -e 'process.exit(require(process.argv[1]).exports["."] ? 0 : 1)' "$PWD/$dir/package.json" || continue
    attw --pack "$dir" --profile esm-only --format ascii || return 1
  done
  echo "${#names[@]} packages: ${names[*]}"
}

step "lock file" lock_file
step types types
step "test types" test_types
step lint oxlint --deny-warnings .
step format formatting
step "unused code" unused_code
step "import direction" node scripts/import-direction.ts
step "file size" node scripts/size.ts
step packages published

if [ ${#failed[@]} -gt 0 ]; then
  echo "check: $passed passed, ${#failed[@]} failed: $(IFS=,; echo "${failed[*]}" | sed 's/,/, /g')"
  exit 1
fi
echo "check: $passed passed"
