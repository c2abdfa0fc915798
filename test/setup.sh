#!/usr/bin/env bash
# Installs what the tests use beside the npm packages of the project. Idempotent; quick when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
python3 -c 'import ensurepip' >/dev/null 2>&1 || missing+=(python3-venv)  # the emulator of AWS
command -v zsh >/dev/null || missing+=(zsh)               # shells whose completion is tested
command -v fish >/dev/null || missing+=(fish)
command -v script >/dev/null || missing+=(bsdutils)       # makes a terminal
command -v mount >/dev/null || missing+=(mount)           # a small disk that gets full
[ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null || missing+=(pgbouncer) # a pooler in front of PostgreSQL
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ]; then echo "Install these as root first: ${missing[*]}" >&2; exit 1; fi
  apt-get update -q
  # The tests start what they need themselves, each on a port of its own. No package may start a service, now or when the machine starts again. If the
  # machine has rules of its own for that (policy-rc.d), they stay.
  rules=/usr/sbin/policy-rc.d
  if [ ! -e "$rules" ]; then
    trap 'rm -f "$rules"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$rules"
    chmod 755 "$rules"
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
  if [[ " ${missing[*]} " == *' pgbouncer '* ]]; then update-rc.d pgbouncer disable; fi
fi

# PostgreSQL 14 to 17; 18 is a development dependency of the project itself.
if ! cmp -s test/servers/package-lock.json test/servers/node_modules/.keyturn-lock; then
  (cd test/servers && npm ci --no-audit --no-fund)
  cp test/servers/package-lock.json test/servers/node_modules/.keyturn-lock
fi
# An emulator of AWS, and a library of tokens, that others wrote; where there is no Python 3, their tests are skipped and say so.
moto=5.2.5 pyjwt=2.15.1
if command -v python3 >/dev/null && [ "$(cat .cache/moto/version 2>/dev/null)" != "$moto $pyjwt" ]; then
  rm -rf .cache/moto
  python3 -m venv .cache/moto
  .cache/moto/bin/pip install --quiet --disable-pip-version-check "moto==$moto" flask flask-cors "pyjwt[crypto]==$pyjwt"
  echo "$moto $pyjwt" >.cache/moto/version
fi
# Google's own Pub/Sub. It needs the Go that its go.mod names; where there is none, its tests are skipped and say so.
source=$(cd test/servers/pubsub && cat go.mod go.sum main.go | sha256sum | cut -d' ' -f1)
if [ "$(cat .cache/pubsub/source 2>/dev/null)" != "$source" ] && (cd test/servers/pubsub && GOTOOLCHAIN=local go list -m) >/dev/null 2>&1; then
  mkdir -p .cache/pubsub
  rm -f .cache/pubsub/source
  out=$PWD/.cache/pubsub/pubsub
  (cd test/servers/pubsub && GOTOOLCHAIN=local CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o "$out" .)
  echo "$source" >.cache/pubsub/source
fi
echo "test servers are ready"
