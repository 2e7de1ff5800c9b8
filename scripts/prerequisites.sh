#!/bin/sh
# Functions shared by quickstart.sh and test.sh; source it from the project's folder.

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Installs those of the named Debian packages that are missing, and only then asks the package index.
install_packages() {
  missing=
  for package in "$@"; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
      missing="$missing $package"
    fi
  done
  [ -z "$missing" ] && return 0
  command -v apt-get >/dev/null || fail "please install:$missing"
  say "Installing:$missing"
  apt-get update -qq
  # shellcheck disable=SC2086 # one word per package
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# Puts containerd's service out of the way only if this script's installation started it: Kedge starts its own.
install_runtime() {
  had_containerd=$(command -v containerd || true)
  install_packages containerd runc containernetworking-plugins nftables iptables conntrack iproute2 util-linux "$@"
  if [ -z "$had_containerd" ] && [ -d /run/systemd/system ]; then
    systemctl disable --now containerd.service >/dev/null 2>&1 || true
  fi
}

# Whatever Node and npm there are only fetch packages; Kedge is built with the Node among them.
install_npm() {
  command -v npm >/dev/null || install_packages nodejs npm
}

# npm_packages [npm ci flags]: installs what package-lock.json names, unless that is already done.
npm_packages() {
  wanted="$(cksum <package-lock.json) $*"
  if [ "$(cat node_modules/.kedge-installed 2>/dev/null)" != "$wanted" ]; then
    say 'Fetching npm packages'
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error "$@"
    printf '%s' "$wanted" >node_modules/.kedge-installed
  fi
  PATH="$PWD/node_modules/node-linux-$(architecture)/bin:$PATH"
  export PATH
}

architecture() {
  case "$(uname -m)" in
    x86_64) echo x64 ;;
    aarch64 | arm64) echo arm64 ;;
    *) fail "Kedge runs on x86-64 and 64-bit ARM, not on $(uname -m)" ;;
  esac
}

# Builds dist/kedge-linux-<arch> unless it is newer than everything it is made of.
build_kedge() {
  file="dist/kedge-linux-$(architecture)"
  if [ ! -x "$file" ] || [ -n "$(find src build package-lock.json -newer "$file" -type f | head -n 1)" ]; then
    say 'Building Kedge'
    node build/build.ts "$(architecture)"
  fi
}
