#!/usr/bin/env bash
# Installs what the tests use beside the npm packages of the project. Idempotent; quick when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v openssl >/dev/null || missing+=(openssl)       # certificates of test servers
command -v zsh >/dev/null || missing+=(zsh)               # shells whose completion is tested
command -v fish >/dev/null || missing+=(fish)
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ]; then echo "Install these as root first: ${missing[*]}" >&2; exit 1; fi
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

# PostgreSQL 14 to 17; 18 is a development dependency of the project itself.
if ! cmp -s test/servers/package-lock.json test/servers/node_modules/.keyturn-lock; then
  (cd test/servers && npm ci --no-audit --no-fund)
  cp test/servers/package-lock.json test/servers/node_modules/.keyturn-lock
fi
echo "test servers are ready"
