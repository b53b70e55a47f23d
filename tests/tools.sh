#!/usr/bin/env bash
# Sees to it that the tools for `build` or `test` are there: installs what Debian packages can give when it may,
# and otherwise names the tool, its package and the command. Never skips anything silently.
set -euo pipefail

missing=()

need() { # need COMMAND PACKAGE WHY
  command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing+=("$2:$1:$3")
}

need cc gcc "compiles the bundled SQLite"
need make make "runs this"
if ! command -v cargo >/dev/null 2>&1; then
  echo "cargo is missing: install Rust 1.89 or later from https://rustup.rs" >&2
  exit 1
fi
if ! command -v node >/dev/null 2>&1 || [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
  echo "Node.js 20 or later is missing (it builds the consoles): see https://nodejs.org, or your distribution's package nodejs" >&2
  exit 1
fi
need npm npm "builds the consoles"
if [ "${1:-build}" = test ]; then
  need mosquitto mosquitto "the real broker that tests talk to"
  need mosquitto_pub mosquitto-clients "sends what README sends"
  # Debian keeps the server's programs outside the path; its package also starts a cluster, which nobody here uses.
  compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || need initdb postgresql "the real PostgreSQL that tests start and stop"
  need promtool prometheus "judges metric names, alert rules and the dashboard's questions"
  [ -n "${CHROMIUM:-}" ] || need chromium chromium "the real browser that tests talk to"
fi

[ ${#missing[@]} -eq 0 ] && exit 0

packages=()
for entry in "${missing[@]}"; do packages+=("${entry%%:*}"); done
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then as_root=(sudo -n); else as_root=(none); fi
fi
if command -v apt-get >/dev/null 2>&1 && [ "${as_root[*]:-}" != none ]; then
  echo "installing ${packages[*]}" >&2
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  exit 0
fi
for entry in "${missing[@]}"; do
  IFS=: read -r package command why <<<"$entry"
  echo "$command is missing ($why): install the package $package, on Debian: apt-get install $package" >&2
done
exit 1
