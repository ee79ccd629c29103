#!/bin/sh
# Runs the client matrix: run.sh DIRECTORY_OF_PROGRAMS [WORK_DIRECTORY]. What it installs goes into the
# work directory, which is made, kept between runs, and may be deleted.
set -eu
programs=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=${2:-${TMPDIR:-/tmp}/slipway-clients}
mkdir -p "$work"
if [ ! -x "$work/venv/bin/python" ]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet openai anthropic grpcio grpcio-tools
fi
if [ ! -d "$work/node/node_modules/openai" ]; then
  mkdir -p "$work/node"
  (cd "$work/node" && npm install --silent openai @anthropic-ai/sdk)
fi
cp "$here/node_client.mjs" "$work/node/"
SLIPWAY_CLIENTS_NODE="$work/node" exec "$work/venv/bin/python" "$here/client_matrix.py" "$programs"
