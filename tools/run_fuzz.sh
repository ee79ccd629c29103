#!/usr/bin/env bash
# Builds the fuzz targets with clang, AddressSanitizer and UndefinedBehaviorSanitizer, and runs each
# for some seconds from its seeds and from what earlier runs found. An input that fails stays in the
# build directory and is named; give it to the target to see it fail again.
# Usage: tools/run_fuzz.sh BUILD_DIRECTORY JOBS [SECONDS [TARGET...]]
set -euo pipefail
cd "$(dirname "$0")/.."

build=$1
jobs=$2
seconds=${3:-60}
shift $(($# < 3 ? $# : 3))

# The newest clang that has the runtime library of libFuzzer, which is a package of its own.
find_clang() {
  local version
  for version in 19 18 17 16 15 14; do
    if command -v "clang++-$version" >/dev/null &&
      compgen -G "$("clang++-$version" -print-resource-dir)/lib/linux/libclang_rt.fuzzer-*.a" >/dev/null; then
      echo "$version"
      return
    fi
  done
}

version=$(find_clang)
if [ -z "$version" ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  package=$(apt-cache depends clang | sed -nE 's/.*Depends: clang-([0-9]+)$/\1/p' | head -1)
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "clang-$package" \
    "libclang-rt-$package-dev" >/dev/null
  version=$(find_clang)
fi

cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSLIPWAY_FUZZ=ON \
  -DSLIPWAY_SANITIZE=address,undefined "-DCMAKE_C_COMPILER=clang-$version" \
  "-DCMAKE_CXX_COMPILER=clang++-$version" >/dev/null
# Only what is wanted: all of them are half the project, with sanitizers.
wanted=("${@/%/_fuzz}")
nice ninja -C "$build" -j "$jobs" --quiet "${wanted[@]:-fuzzers}"

export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
status=0
for program in "$build"/fuzz/*_fuzz; do
  name=$(basename "$program" _fuzz)
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  found=$build/fuzz/found/$name
  mkdir -p "$found"
  log=$build/fuzz/$name.log
  if nice "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=8192 \
    -artifact_prefix="$build/fuzz/$name-" -print_final_stats=1 "$found" \
    "$build/fuzz_corpus/$name" >"$log" 2>&1; then
    verdict="no finding"
  else
    verdict="FAILED: $(grep -m1 'Test unit written to' "$log" || tail -1 "$log")"
    status=1
  fi
  executions=$(sed -nE 's/^stat::number_of_executed_units: *([0-9]+)/\1/p' "$log")
  echo "fuzz $name: ${executions:-0} executions in $seconds s, $verdict"
done
exit "$status"
