#!/usr/bin/env bash
# Installs what building, testing and running Slipway needs on Debian 12 or Ubuntu 24.04.
# Does nothing, quickly, when everything is there. Needs root, or sudo.
set -euo pipefail

packages=(
  # Build
  g++ cmake ninja-build ccache mold pkg-config git make
  # RPC
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libprotoc-dev grpc-proto
  golang-github-grpc-ecosystem-grpc-gateway-dev libabsl-dev
  # Storage, git, HTTP
  libsqlite3-dev libgit2-dev libcurl4-openssl-dev libboost-dev zlib1g-dev libre2-dev
  # Memory of the services
  libjemalloc-dev
  # Data and command lines
  nlohmann-json3-dev libyaml-cpp-dev libcli11-dev
  # Secrets and sandboxes
  libsodium-dev libssl-dev libseccomp-dev bubblewrap
  # Tests and checks
  libgtest-dev libgmock-dev libbenchmark-dev clang-format clang-tidy curl jq python3 sqlite3 spin gcc
  # Repositories behind ssh, and a server for their tests
  openssh-client openssh-server
  # Tests with containers: they start engines of their own, and reach them by TLS
  docker.io iptables openssl
)
# The linter of the contracts comes from npm, grpcurl for a test from the Go module proxy. Any
# installed version of the two serves, so they are looked for as programs.
declare -A tools=([npm]=npm [go]=golang-go)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
for tool in "${!tools[@]}"; do
  command -v "$tool" >/dev/null 2>&1 || missing+=("${tools[$tool]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "installing: ${missing[*]}"
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
