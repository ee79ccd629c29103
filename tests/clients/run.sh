#!/bin/sh
# Runs the client matrix: run.sh DIRECTORY_OF_PROGRAMS [sdks|programs] [WORK_DIRECTORY]. What it installs
# goes into the work directory, which is made, kept between runs, and may be deleted.
set -eu
programs=$(cd "$1" && pwd)
what=${2:-sdks}
here=$(cd "$(dirname "$0")" && pwd)
work=${3:-${TMPDIR:-/tmp}/slipway-clients}
for program in slipway-ledger slipway-models; do
  if [ ! -x "$programs/$program" ]; then
    echo "$programs has no $program: build it first, or name another directory" >&2
    exit 2
  fi
done
mkdir -p "$work/node"
if [ ! -x "$work/venv/bin/python" ]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet openai anthropic grpcio grpcio-tools
fi
if [ "$what" = sdks ]; then
  if [ ! -d "$work/node/node_modules/openai" ]; then
    (cd "$work/node" && npm install --silent openai @anthropic-ai/sdk)
  fi
  cp "$here/node_client.mjs" "$work/node/"
  SLIPWAY_CLIENTS_NODE="$work/node" exec "$work/venv/bin/python" "$here/client_matrix.py" "$programs"
fi
# A gigabyte of programs, in the versions that the matrix was made with.
if [ ! -d "$work/node/node_modules/opencode-ai" ]; then
  (cd "$work/node" && npm install --silent @anthropic-ai/claude-code@2.1.197 @openai/codex@0.169.0 \
    opencode-ai@1.18.33)
fi
if [ ! -x "$work/aider/bin/aider" ]; then
  python3 -m venv "$work/aider"
  "$work/aider/bin/pip" install --quiet aider-chat==0.86.2
fi
exec "$work/venv/bin/python" "$here/program_matrix.py" "$programs" "$work/node" "$work/aider"
