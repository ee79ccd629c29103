#!/usr/bin/env bash
# Runs the tests of a build directory and prints "N passed, N failed" as its last line.
# Usage: tools/run_tests.sh BUILD_DIRECTORY JOBS [ctest options]
set -uo pipefail

build=$1
jobs=$2
shift 2
report=$(mktemp)
trap 'rm -f "$report"' EXIT

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-"ignore_noninstrumented_modules=1 suppressions=$PWD/lib/rpc/tsan.supp"}
ctest --test-dir "$build" -j "$jobs" --output-on-failure --no-tests=error --progress "$@" >"$report" 2>&1
status=$?
grep -vE '^Test #|^ *[0-9]+/[0-9]+ Test' "$report" | tail -400

failed=$(sed -nE 's/.* ([0-9]+) tests? failed out of ([0-9]+).*/\1/p' "$report" | tail -1)
total=$(sed -nE 's/.*tests? failed out of ([0-9]+).*/\1/p' "$report" | tail -1)
if [ -z "$total" ]; then
  echo "0 passed, 1 failed"
  exit 1
fi
echo "$((total - failed)) passed, $failed failed"
exit "$status"
