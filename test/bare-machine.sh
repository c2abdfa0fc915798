#!/usr/bin/env bash
# The README's first two commands as a newcomer types them: in a fresh clone of what is committed, as a user without rights, on a machine that has
# Node, npm, git, a shell and the small programs of every system, and nothing else. It shares nothing with the checkout, so that it may run beside
# other stages.
set -euo pipefail
cd "$(dirname "$0")/.."

shown=(node npm npx git sh bash cat chmod chown cp cut date dirname echo env expr grep head id ln ls mkdir mktemp mv printf pwd readlink rm sed sleep sort
  tail tee touch tr true uname wc)
hidden=(zsh fish script openssl python python3 psql pg_ctl initdb pgbouncer ps mount tmux java go docker)
tested=(zsh fish script pgbouncer) # those of them whose tests must be among the skipped ones

fail() {
  echo "bare machine: $1" >&2
  exit 1
}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir "$place/bin" "$place/home" "$place/tmp"
for program in "${shown[@]}"; do ln -s "$(command -v "$program")" "$place/bin/$program"; done
git clone --quiet --no-hardlinks . "$place/keyturn" # a link would be one file with two owners

# Nothing of CI's environment that a newcomer does not have, least of all the word that makes a skip a failure. The same tests have just run where everything is
# installed; here the files that may skip something run, and a share of the others (KEYTURN_TEST_SHARE, which the caller sets).
as=(env -u CI -u KEYTURN_MAY_SKIP -u KUBEBUILDER_ASSETS PATH="$place/bin" HOME="$place/home" TMPDIR="$place/tmp" npm_config_cache="$place/npm")
if [ "$(id -u)" -eq 0 ]; then
  group=$(id -g nobody)
  chown -hR "nobody:$group" "$place"
  as=(setpriv --reuid=nobody "--regid=$group" --clear-groups "${as[@]}")
fi
newcomer() { (cd "$place/keyturn" && "${as[@]}" sh -c "$1" </dev/null); }

for program in "${hidden[@]}"; do
  if newcomer "command -v $program"; then fail "$program is there, although it is hidden"; fi
done

commands=$(sed -n 's/^\$ \(npm ci && .*\)$/\1/p' README.md)
[ "$commands" = $'npm ci && npm run quickstart\nnpm ci && npm test' ] || fail "the README begins with other commands: $commands"
while read -r command; do
  since=$SECONDS
  if ! newcomer "$command" >"$place/log" 2>&1; then
    tail -n 300 "$place/log" >&2
    fail "$command failed"
  fi
  echo "bare machine: $command: $(tail -n 1 "$place/log") ($((SECONDS - since)) s)"
done <<<"$commands"

for program in "${tested[@]}"; do
  grep -q "^skipped: .*: $program is not installed" "$place/log" || fail "no test says that it is skipped for want of $program"
done
tail -n 1 "$place/log" | grep -qE '^[0-9]+ tests: [0-9]+ passed, [1-9][0-9]* skipped, 0 failed$' || fail 'the last line does not count the skips'
echo "bare machine: green in $SECONDS s"
