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
  apt_log=$(mktemp)
  apt-get update -qq || fail 'the package index cannot be fetched: is this machine online, is its clock right?'
  # shellcheck disable=SC2086 # one word per package
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$apt_log" 2>&1 || {
    cat "$apt_log" >&2
    fail "these packages cannot be installed:$missing"
  }
  rm -f "$apt_log"
}

# Raspberry Pi OS starts without memory control groups; pods run all the same, but their memory limits do not hold.
check_kernel() {
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    grep -qw memory /sys/fs/cgroup/cgroup.controllers && return 0
  else
    grep -q '^memory.*1$' /proc/cgroups && return 0
  fi
  echo 'warning: memory control groups are off, so memory limits do not hold. To turn them on, append' >&2
  echo '  cgroup_memory=1 cgroup_enable=memory' >&2
  echo 'to the one line of /boot/firmware/cmdline.txt, and reboot.' >&2
}

# The libraries are what Node, and so Kedge, is linked with; a small Debian lacks the first.
# Puts containerd's service out of the way only if this script's installation started it: Kedge starts its own.
install_runtime() {
  had_containerd=$(command -v containerd || true)
  install_packages libatomic1 libstdc++6 containerd runc containernetworking-plugins nftables iptables conntrack iproute2 util-linux "$@"
  if [ -z "$had_containerd" ] && [ -d /run/systemd/system ]; then
    systemctl disable --now containerd.service >/dev/null 2>&1 || true
  fi
}

# Whatever Node and npm there are only fetch packages; Kedge is built with the Node among them.
install_npm() {
  command -v npm >/dev/null || install_packages nodejs npm
}

# npm_packages <omit|include>: installs what package-lock.json names, without or with what only the tests need,
# unless that is already there.
npm_packages() {
  wanted=$(cksum <package-lock.json)
  case "$(cat node_modules/.kedge-installed 2>/dev/null)" in
    "$wanted $1" | "$wanted include") ;;
    *)
      say 'Fetching npm packages'
      npm ci --ignore-scripts --no-audit --no-fund --loglevel=error "--$1=dev" >/dev/null ||
        fail 'npm packages cannot be fetched; its words are above. Run the script again, it goes on from here'
      printf '%s' "$wanted $1" >node_modules/.kedge-installed
      ;;
  esac
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

# build_kedge [<arch>…]: builds dist/kedge-linux-<arch>, for this machine by default, unless it is newer than everything
# it is made of.
build_kedge() {
  [ $# -gt 0 ] || set -- "$(architecture)"
  for arch in "$@"; do
    file="dist/kedge-linux-$arch"
    if [ ! -x "$file" ] || [ -n "$(find src build scripts package-lock.json -newer "$file" -type f | head -n 1)" ]; then
      say 'Building Kedge'
      # shellcheck disable=SC2046 # one word per architecture
      node build/build.ts $(printf '%s\n' "$@" | sort -u)
      return
    fi
  done
}
