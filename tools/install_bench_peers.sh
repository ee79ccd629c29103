#!/usr/bin/env bash
# Installs the peers that slipway-bench measures beside Slipway: PostgreSQL, Redis, nginx, in a
# virtual environment of its own LiteLLM, from npm BullMQ, graphile-worker and Temporal's SDK, and with
# Go Temporal's development server. Starts and enables no service. Without them the benchmark still runs
# and says what it did not measure.
#
#   SLIPWAY_BENCH_QUEUES    where the queues go (~/.cache/slipway-bench/queues)
#   SLIPWAY_BENCH_LITELLM   where LiteLLM goes (~/.cache/slipway-bench/litellm)
#   SLIPWAY_BENCH_TEMPORAL  where Temporal's server goes (~/.cache/slipway-bench/temporal)
set -euo pipefail

install_packages() {
  echo "installing: $*"
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  export DEBIAN_FRONTEND=noninteractive
  # A cluster or a server that starts by itself would only disturb what is measured.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    made=yes
  fi
  local status=0
  { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null; } || status=$?
  [ -z "$made" ] || "${as_root[@]}" rm -f "$policy"
  return "$status"
}

install_litellm() {
  local environment=${SLIPWAY_BENCH_LITELLM:-$HOME/.cache/slipway-bench/litellm}
  [ -x "$environment/bin/litellm" ] && return
  echo "installing: LiteLLM into $environment"
  if ! python3 -m venv "$environment" ||
     ! "$environment/bin/pip" install --quiet --no-cache-dir 'litellm[proxy]'; then
    echo "LiteLLM could not be installed: the benchmark will say so" >&2
  fi
}

install_queues() {
  local directory=${SLIPWAY_BENCH_QUEUES:-$HOME/.cache/slipway-bench/queues}
  [ -d "$directory/node_modules/bullmq" ] && [ -d "$directory/node_modules/graphile-worker" ] &&
    [ -d "$directory/node_modules/@temporalio/worker" ] && return
  echo "installing: BullMQ, graphile-worker and Temporal's SDK into $directory"
  mkdir -p "$directory"
  if ! npm install --prefix "$directory" --no-audit --no-fund --silent \
       bullmq@6 ioredis@5 graphile-worker@0.17 pg@8 @temporalio/client@1 @temporalio/worker@1 \
       @temporalio/workflow@1 @temporalio/activity@1; then
    echo "the queues could not be installed: the benchmark will say so" >&2
  fi
}

install_temporal() {
  local directory=${SLIPWAY_BENCH_TEMPORAL:-$HOME/.cache/slipway-bench/temporal}
  [ -x "$directory/temporal" ] && return
  echo "installing: Temporal's development server into $directory (some minutes)"
  mkdir -p "$directory"
  # Later versions replace a module by a directory, which "go install" refuses.
  if ! GOBIN=$directory nice go install github.com/temporalio/cli/cmd/temporal@v1.5.1; then
    echo "Temporal's server could not be built: the benchmark will say so" >&2
  fi
}

version=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p')
packages=("postgresql-${version:-15}" redis-server nginx-light python3-venv)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
install_litellm
install_queues
install_temporal
