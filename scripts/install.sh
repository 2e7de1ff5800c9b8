#!/bin/sh
# Installs Kedge as a service, or brings it up to date; containers keep running meanwhile. Run it as often as you like:
#   curl -sfL http://…/install.sh | sudo sh -
#   curl -sfL http://…/install.sh | sudo KEDGE_URL=https://server:6443 KEDGE_TOKEN=… sh -      joins a cluster
#   curl -sfL http://…/install.sh | sudo sh -s - server --tls-san board.example.org           with flags
#
# KEDGE_URL, KEDGE_TOKEN      the server to join as an agent, and its token
# KEDGE_…                     any flag; kept, readable for root alone, for every start: /etc/kedge/kedge.env
# INSTALL_KEDGE_EXEC          command and flags; without any, those of the last installation, else `server` or `agent`.
#                             A --token among them is kept in the file of variables, not in the unit.
# INSTALL_KEDGE_ARTIFACT      URL or folder with kedge-linux-<arch>, packed (.xz) or not, and sha256sum.txt
# INSTALL_KEDGE_BIN_DIR       where the executable goes (/usr/local/bin)
# INSTALL_KEDGE_SYSTEMD_DIR   where the unit goes (/etc/systemd/system)
# INSTALL_KEDGE_SYMLINK       `skip`: no kubectl, `force`: even where there is another
# INSTALL_KEDGE_{SKIP_DOWNLOAD,SKIP_PACKAGES,SKIP_ENABLE,SKIP_START,FORCE_RESTART,DRY_RUN}=true
#                             the executable is there already; install no packages; do not start at boot, nor now;
#                             not now; start anew even if nothing changed; only say what would be done
set -eu
PATH=$PATH:/usr/sbin:/sbin

# Where releases lie; a release fills it in.
RELEASES=''

say() { printf '[kedge] %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
is_on() { [ "${1:-}" = true ] || [ "${1:-}" = 1 ]; }
# A change of this machine.
run() {
  if is_on "${INSTALL_KEDGE_DRY_RUN:-}"; then say "would run: $*"; else "$@"; fi
}
# write_file <mode> <path>: standard input becomes the file, whole or not at all; unchanged files stay.
write_file() {
  if is_on "${INSTALL_KEDGE_DRY_RUN:-}"; then cat >/dev/null; say "would write: $2"; return; fi
  (umask 077; cat >"$2.new")
  sync "$2.new"
  if cmp -s "$2.new" "$2"; then rm "$2.new"; else chmod "$1" "$2.new"; mv -f "$2.new" "$2"; fi
  chmod "$1" "$2"
}

# The scripts that are installed, too. A release has them inside this file.
own_script() {
  cat "$(dirname "$0")/$1" 2>/dev/null || fail "$1 is not beside $0: use the install.sh of a release"
}

check_machine() {
  [ "$(id -u)" = 0 ] || is_on "${INSTALL_KEDGE_DRY_RUN:-}" || fail 'containers and services need root: curl … | sudo sh -'
  case "$(uname -m)" in
    x86_64 | amd64) ARCH=x64 debian=amd64 ;;
    aarch64 | arm64) ARCH=arm64 debian=arm64 ;;
    *) fail "Kedge runs on x86-64 and 64-bit ARM, not on $(uname -m)" ;;
  esac
  # A 32-bit Raspberry Pi OS has a 64-bit kernel, too.
  if has dpkg && [ "$(dpkg --print-architecture)" != "$debian" ]; then
    fail "this is a $(dpkg --print-architecture) system on a $(uname -m) kernel: Kedge needs the 64-bit ($debian) edition"
  fi
  # In an image that is being made systemd is there but does not run.
  INIT=none
  if has systemctl; then INIT=systemd; fi
  RUNS=false
  if [ $INIT = systemd ] && [ -d /run/systemd/system ]; then RUNS=true; fi
}

# words of <text>: one quoted for systemd's ExecStart.
quoted() {
  case "$1" in
    *[!A-Za-z0-9_./:=,@+-]* | '') printf ' "%s"' "$(printf %s "$1" | sed 's/\\/\\\\/g; s/"/\\"/g; s/%/%%/g; s/\$/$$/g')" ;;
    *) printf ' %s' "$1" ;;
  esac
}

# Sets COMMAND (server or agent), UNIT and ARGS, from what was asked for or what is there already.
choose_command() {
  agent_unit=$SYSTEMD_DIR/kedge-agent.service
  set -f
  # shellcheck disable=SC2086 # one word per flag
  set -- ${INSTALL_KEDGE_EXEC:-} "$@"
  set +f
  asked=$#
  case "${1:-}" in
    '' | -*)
      COMMAND=server
      if [ -n "${KEDGE_URL:-}" ] || [ -f "$agent_unit" ]; then COMMAND=agent; fi
      ;;
    server | agent) COMMAND=$1; shift ;;
    *) fail "a service runs \`kedge server\` or \`kedge agent\`, not \`kedge $1\`" ;;
  esac
  case "$COMMAND" in server) UNIT=kedge other=kedge-agent ;; agent) UNIT=kedge-agent other=kedge ;; esac
  if [ -f "$SYSTEMD_DIR/$other.service" ]; then
    fail "this board runs $other.service; kedge-uninstall.sh removes it and its data, then it can be another"
  fi
  ENV_FILE=/etc/kedge/$UNIT.env
  ARGS=''
  last=''
  # A token in the unit could be read by everybody here: it goes where the variables go.
  for word in "$@"; do
    case "$last:$word" in
      --token:* | -t:*) export KEDGE_TOKEN="$word" ;;
      *:--token=* | *:-t=*) export KEDGE_TOKEN="${word#*=}" ;;
      *:--token | *:-t) ;;
      *) ARGS="$ARGS$(quoted "$word")" ;;
    esac
    last=$word
  done
  if [ "$asked" -eq 0 ]; then
    ARGS=$(sed -n "s|^ExecStart=[^ ]* $COMMAND||p" "$SYSTEMD_DIR/$UNIT.service" 2>/dev/null || true)
  fi
  [ "$COMMAND" = server ] || check_agent
}

check_agent() {
  known=$(cat "$ENV_FILE" 2>/dev/null || true)
  case "${KEDGE_URL:+KEDGE_URL=}$known$ARGS" in
    *KEDGE_URL=* | *--server*) ;;
    *) fail 'an agent needs KEDGE_URL=https://<server>:6443' ;;
  esac
  case "${KEDGE_TOKEN:+KEDGE_TOKEN=}${KEDGE_TOKEN_FILE:+KEDGE_TOKEN_FILE=}$known$ARGS" in
    *KEDGE_TOKEN* | *--token*) ;;
    *) fail "an agent needs KEDGE_TOKEN; the server has it in /var/lib/kedge/server/node-token" ;;
  esac
  case "${KEDGE_URL:-https://}" in
    https://*) ;;
    *) fail "KEDGE_URL must be https://<server>:6443, not $KEDGE_URL" ;;
  esac
}

# Debian's packages for what is not here yet. Programs count, not packages: a containerd from elsewhere is as good.
missing_packages() {
  while read -r package programs; do
    for program in $programs; do
      if ! has "$program"; then echo "$package"; break; fi
    done
  done <<END
containerd containerd ctr containerd-shim-runc-v2
runc runc
nftables nft
iptables iptables
conntrack conntrack
iproute2 ip
util-linux unshare nsenter fallocate
mount mount umount
xz-utils xz
ca-certificates update-ca-certificates
END
  for plugin in ptp host-local portmap; do
    if [ ! -x "/opt/cni/bin/$plugin" ] && [ ! -x "/usr/lib/cni/$plugin" ] && [ ! -x "/usr/libexec/cni/$plugin" ]; then
      echo containernetworking-plugins
      break
    fi
  done
  for library in libatomic1:libatomic.so.1 libstdc++6:libstdc++.so.6; do
    ldconfig -p 2>/dev/null | grep -q "${library#*:}" || echo "${library%:*}"
  done
}

install_packages() {
  packages=$(missing_packages | tr '\n' ' ')
  [ -n "$packages" ] || return 0
  if is_on "${INSTALL_KEDGE_SKIP_PACKAGES:-}"; then say "not installed, as asked: $packages"; return; fi
  if is_on "${INSTALL_KEDGE_DRY_RUN:-}"; then say "would install packages: $packages"; return; fi
  has apt-get || fail "this system has no apt-get; please install what Debian calls: $packages"
  say "installing packages: $packages"
  apt-get update -qq || fail 'the package index cannot be fetched: is this machine online, is its clock right?'
  # shellcheck disable=SC2086 # one word per package
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null ||
    fail "these packages cannot be installed: $packages"
  # Kedge starts its own; the one that the package started would only cost memory.
  case " $packages " in
    *' containerd '*) if $RUNS; then systemctl disable --now --quiet containerd.service; fi ;;
  esac
}

# fetch <name> <to>: from the folder or the URL of the release.
fetch() {
  case "$SOURCE" in
    http://* | https://*)
      if has curl; then
        curl -fsSL --retry 3 --output "$2" "$SOURCE/$1"
      else
        has wget || fail 'downloading needs curl or wget'
        wget -q --tries=3 --output-document="$2" "$SOURCE/$1"
      fi
      ;;
    *) cp "$SOURCE/$1" "$2" ;;
  esac || fail "cannot get $SOURCE/$1"
}

sum_of() { sha256sum "$1" | cut -d' ' -f1; }
# The sum that the release states for a name; nothing where it has no such file.
stated_sum() { sed -n "s/^\([0-9a-f]\{64\}\) [ *]$1\$/\1/p" "$WORK/sha256sum.txt"; }
verify() {
  [ "$(sum_of "$2")" = "$(stated_sum "$1")" ] || fail "$1 from $SOURCE is damaged: its checksum is wrong. Nothing was changed"
}

# Fetches, verifies and unpacks beside its place, then puts it there by a rename.
install_executable() {
  if is_on "${INSTALL_KEDGE_SKIP_DOWNLOAD:-}"; then
    [ -x "$KEDGE" ] || is_on "${INSTALL_KEDGE_DRY_RUN:-}" || fail "INSTALL_KEDGE_SKIP_DOWNLOAD: there is no $KEDGE"
    return
  fi
  [ -n "$SOURCE" ] || fail 'say where the release lies: INSTALL_KEDGE_ARTIFACT=<URL or folder>'
  name=kedge-linux-$ARCH
  if is_on "${INSTALL_KEDGE_DRY_RUN:-}"; then say "would install: $SOURCE/$name as $KEDGE"; return; fi
  mkdir -p "$BIN_DIR"
  # Of installations that a power cut ended.
  rm -rf "$BIN_DIR"/.kedge-install.*
  WORK=$(mktemp -d "$BIN_DIR/.kedge-install.XXXXXX")
  trap 'rm -rf "$WORK"' EXIT
  trap 'exit 1' INT TERM
  fetch sha256sum.txt "$WORK/sha256sum.txt"
  wanted=$(stated_sum "$name")
  [ -n "$wanted" ] || fail "$SOURCE/sha256sum.txt names no $name"
  if [ -x "$KEDGE" ] && [ "$(sum_of "$KEDGE")" = "$wanted" ]; then
    say "$KEDGE is up to date"
    return
  fi
  say "fetching $name from $SOURCE"
  if [ -n "$(stated_sum "$name.xz")" ]; then
    fetch "$name.xz" "$WORK/packed"
    verify "$name.xz" "$WORK/packed"
    xz -dc "$WORK/packed" >"$WORK/kedge"
  else
    fetch "$name" "$WORK/kedge"
  fi
  verify "$name" "$WORK/kedge"
  chmod 755 "$WORK/kedge"
  version=$("$WORK/kedge" --version) || fail "$name does not run here; see its words above"
  sync "$WORK/kedge"
  mv -f "$WORK/kedge" "$KEDGE"
  say "installed $KEDGE: $version"
}

install_scripts() {
  for script in kedge-killall.sh kedge-uninstall.sh; do
    text=$(own_script $script)
    printf '%s\n' "$text" | write_file 755 "$BIN_DIR/$script"
  done
  [ "${INSTALL_KEDGE_SYMLINK:-}" != skip ] || return 0
  if [ "${INSTALL_KEDGE_SYMLINK:-}" = force ] || ! has kubectl; then run ln -sf kedge "$BIN_DIR/kubectl"; fi
}

# Every KEDGE_ variable and those of proxies; earlier ones stay unless given anew. An empty one is forgotten.
write_environment() {
  names=$(env | sed -n 's/^\(KEDGE_[A-Z0-9_]*\|[A-Z]*_PROXY\|[a-z]*_proxy\)=.*/\1/p' | sort)
  {
    if [ -f "$ENV_FILE" ]; then
      # shellcheck disable=SC2046,SC2086 # one expression per name
      sed -e '/^$/d' $(for name in $names; do printf -- '-e /^%s=/d ' "$name"; done) "$ENV_FILE"
    fi
    for name in $names; do
      value=$(printenv "$name") || continue
      [ -n "$value" ] || continue
      printf '%s="%s"\n' "$name" "$(printf %s "$value" | sed 's/[\\"$`]/\\&/g')"
    done
  } | write_file 600 "$ENV_FILE"
}

# Options that systemd 252 does not know would make it complain.
backoff() {
  version=$(systemctl --version | sed -n 's/^systemd \([0-9]*\).*/\1/p')
  [ "${version:-0}" -lt 254 ] || printf 'RestartSteps=6\nRestartMaxDelaySec=120s\n'
}

# KillMode=process: pods, their shims and their network are none of a stopping Kedge's business.
write_unit() {
  write_file 644 "$SYSTEMD_DIR/$UNIT.service" <<END
# Written by Kedge's install.sh; yours to change with: systemctl edit $UNIT
[Unit]
Description=Kedge $COMMAND: Kubernetes for a board
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=$KEDGE $COMMAND$ARGS
EnvironmentFile=-$ENV_FILE
Environment=MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=131072
KillMode=process
Delegate=yes
Restart=always
RestartSec=5s
$(backoff)
TimeoutStartSec=infinity
TimeoutStopSec=60s
OOMScoreAdjust=-999
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=0
TasksMax=infinity

[Install]
WantedBy=multi-user.target
END
}

# What a restart would bring.
state_of_files() { cat "$KEDGE" "$SYSTEMD_DIR/$UNIT.service" "$ENV_FILE" 2>/dev/null | sha256sum; }
is_active() { $RUNS && systemctl -q is-active "$UNIT.service"; }
# What the service runs with, kept until the next boot: an installation that was cut short has changed files only.
note_running() {
  before=$(cat "$STARTED" 2>/dev/null || state_of_files)
  is_on "${INSTALL_KEDGE_DRY_RUN:-}" || ! is_active || printf '%s\n' "$before" >"$STARTED"
}

start_service() {
  if ! $RUNS; then
    say "systemd does not run here, so nothing was started"
    return
  fi
  if is_active && [ "$before" = "$(state_of_files)" ] && ! is_on "${INSTALL_KEDGE_FORCE_RESTART:-}"; then
    say "$UNIT.service runs and nothing has changed"
    return
  fi
  say "starting $UNIT.service"
  if is_on "${INSTALL_KEDGE_DRY_RUN:-}"; then say "would run: systemctl restart $UNIT.service"; return; fi
  # Returns once it is ready: the API answers and the node is known. After a failure systemd goes on trying.
  timeout 180 systemctl restart "$UNIT.service" || true
  tries=0
  until systemctl -q is-active "$UNIT.service"; do
    tries=$((tries + 1))
    if [ "$tries" -ge 60 ]; then
      journalctl --no-pager --lines=20 "--unit=$UNIT.service" >&2 || true
      fail "$UNIT.service is not ready; it goes on trying. See: journalctl -fu $UNIT"
    fi
    sleep 1
  done
  state_of_files >"$STARTED"
}

# What the machine lacks; nothing where it lacks nothing.
say_what_lacks() {
  is_on "${INSTALL_KEDGE_DRY_RUN:-}" || "$KEDGE" check-config 2>/dev/null | grep -E ' (WARNING|MISSING) ' || true
}

say_what_next() {
  case "$INIT" in
    none) say "no systemd here; run it yourself: $KEDGE $COMMAND$ARGS (environment: $ENV_FILE)" ;;
    *) say "logs: journalctl -fu $UNIT   remove: kedge-uninstall.sh" ;;
  esac
  [ "$COMMAND" = server ] || return 0
  cat <<'END'

  sudo kedge kubectl get nodes                    the cluster
  export KUBECONFIG=/etc/kedge/kedge.yaml         for any other kubectl or helm, as root

  Another board joins with the same command and, before `sh`:
    KEDGE_URL=https://<this board>:6443 KEDGE_TOKEN=$(cat /var/lib/kedge/server/node-token)
END
}

main() {
  BIN_DIR=${INSTALL_KEDGE_BIN_DIR:-/usr/local/bin}
  SYSTEMD_DIR=${INSTALL_KEDGE_SYSTEMD_DIR:-/etc/systemd/system}
  SOURCE=${INSTALL_KEDGE_ARTIFACT:-$RELEASES}
  SOURCE=${SOURCE%/}
  KEDGE=$BIN_DIR/kedge
  check_machine
  choose_command "$@"
  STARTED=/run/$UNIT.started
  note_running
  install_packages
  install_executable
  run mkdir -p /etc/kedge
  install_scripts
  write_environment
  say_what_lacks
  if [ $INIT = systemd ]; then
    write_unit
    if $RUNS; then run systemctl daemon-reload; fi
    if ! is_on "${INSTALL_KEDGE_SKIP_ENABLE:-}"; then
      run systemctl enable --quiet "$UNIT.service"
      is_on "${INSTALL_KEDGE_SKIP_START:-}" || start_service
    fi
  fi
  say_what_next
}

# At the very end: a file that was cut off on its way does nothing.
main "$@"
