#!/usr/bin/env bash
# Lints the contracts (buf STANDARD and COMMENTS) and refuses changes that break a client of the
# recorded baseline. After a deliberate break in a new version: tools/lint_proto.sh --record.
set -euo pipefail
cd "$(dirname "$0")/.."

version=1.75.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/slipway/buf-$version
buf=$cache/node_modules/.bin/buf
if [ ! -x "$buf" ]; then
  mkdir -p "$cache"
  npm install --silent --no-fund --no-audit --prefix "$cache" "@bufbuild/buf@$version" >/dev/null
fi
baseline=tests/contract/baseline.binpb

if [ "${1:-}" = --record ]; then
  (cd proto && "$buf" build --exclude-source-info -o "../$baseline")
  echo "contracts: baseline recorded"
  exit 0
fi
(cd proto && "$buf" lint)
(cd proto && "$buf" breaking --against "../$baseline")
echo "contracts: lint passed, nothing breaks the baseline"
