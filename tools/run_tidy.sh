#!/usr/bin/env bash
# Runs clang-tidy over the named sources, else over those that differ from TIDY_BASE (default: the
# last commit) in the working tree. Sources that BUILD does not compile are left out.
# Usage: tools/run_tidy.sh BUILD_DIRECTORY JOBS [SOURCE..]
# BUILD_DIRECTORY is configured with SLIPWAY_TOGETHER=OFF: else its compile commands name batches
# of sources. It needs no build except of the generated headers, target slipway_proto.
set -euo pipefail
cd "$(dirname "$0")/.."

build=$1
jobs=$2
shift 2

tidy=$(command -v clang-tidy-14 || command -v clang-tidy) || {
  echo "run_tidy: no clang-tidy; run tools/install_dependencies.sh" >&2
  exit 2
}
database=$build/compile_commands.json
if [ ! -f "$database" ]; then
  echo "run_tidy: no $database; run: cmake -S . -B $build -G Ninja -DSLIPWAY_TOGETHER=OFF" >&2
  exit 2
fi
if grep -q '/Unity/unity_' "$database"; then
  echo "run_tidy: $build compiles sources in batches; configure it with -DSLIPWAY_TOGETHER=OFF" >&2
  exit 2
fi

if [ $# -eq 0 ]; then
  mapfile -t sources < <(
    git diff --name-only --diff-filter=d "${TIDY_BASE:-HEAD}" -- '*.cc'
    git ls-files --others --exclude-standard -- '*.cc'
  )
else
  sources=("$@")
fi

known=()
for source in "${sources[@]}"; do
  source=$(realpath --relative-to=. "$source")
  if jq -e --arg file "$PWD/$source" 'any(.[]; .file == $file)' "$database" >/dev/null; then
    known+=("$source")
  else
    echo "run_tidy: $build does not compile $source" >&2
    [ $# -eq 0 ] || exit 2
  fi
done
if [ ${#known[@]} -eq 0 ]; then
  echo "run_tidy: no source to look at"
  exit 0
fi
# The build names warnings and parameters that only GCC has.
printf '%s\0' "${known[@]}" |
  xargs -0 -n 1 -P "$jobs" nice "$tidy" -p "$build" --quiet --extra-arg=-Wno-unknown-warning-option \
    --extra-arg=-Wno-unused-command-line-argument
echo "run_tidy: ${#known[@]} sources are clean"
