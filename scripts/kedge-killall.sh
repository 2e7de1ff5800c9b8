#!/bin/sh
# Stops Kedge and everything it started: server, containers, shims, containerd, mounts, network. Keeps the data.
# Touches nothing that belongs to another containerd or another board. Run it as often as you like.
#   --clean   delete the data, too
#   KEDGE_DATA_DIR, KEDGE_STATE_DIR, KEDGE_CGROUP_ROOT, KEDGE_SERVICE_CIDR, KEDGE_CLUSTER_DNS: if not the usual ones.
# shellcheck disable=SC2317 # functions that until_true calls look unreachable
set -u
PATH=$PATH:/usr/sbin:/sbin
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# What an installed service was told on its command line and in its environment, then the configuration files.
configured() {
  cat "$UNITS/kedge.service" "$UNITS/kedge-agent.service" 2>/dev/null |
    sed -n "s/^ExecStart=.* --$1[ =]\"\{0,1\}\([^ \"]*\).*/\1/p"
  cat /etc/kedge/kedge.env /etc/kedge/kedge-agent.env 2>/dev/null | sed -n "s/^$2=\"\(.*\)\"\$/\1/p"
  for file in /etc/kedge/config.yaml.d/*.yaml /etc/kedge/config.yaml; do echo "$file"; done | sort -r | while read -r file; do
    sed -n "s/^$1: *[\"']\{0,1\}\([^\"' #]*\).*/\1/p" "$file" 2>/dev/null | tail -n 1
  done
}
# setting <flag> <default>: from the environment, else as configured, else the default.
UNITS=${INSTALL_KEDGE_SYSTEMD_DIR:-/etc/systemd/system}
setting() {
  variable=KEDGE_$(printf %s "$1" | tr 'a-z-' 'A-Z_')
  value=$(printenv "$variable" || configured "$1" "$variable" | head -n 1)
  printf %s "${value:-$2}"
}

case "${1:-}" in
  '' | --clean) ;;
  --setting) setting "$2" "$3"; exit 0 ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; fail "unknown flag $1" ;;
esac
[ "$(id -u)" = 0 ] || fail "run this as root: sudo $0"
DATA=$(setting data-dir /var/lib/kedge)
RUN=$(setting state-dir /run/kedge)
CGROUP=$(setting cgroup-root kedge)
for folder in "$DATA" "$RUN"; do
  case "$folder" in /?*/?*) ;; *) fail "$folder cannot be Kedge's own folder" ;; esac
done
escape() { printf %s "$1" | sed 's/[][\.*^$+?(){}|]/\\&/g'; }
IN_RUN=$(escape "$RUN")
IN_DATA=$(escape "$DATA")

# until_true <command>: waits for it, at most 10 seconds.
until_true() {
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || return 1
    sleep 0.1
  done
}
# A process that has ended but was not yet collected has no command line.
has_ended() { ! grep -qs . "/proc/$1/cmdline"; }

# Processes of the named programs with an argument below our containerd's folder.
pids_of() {
  grep -lzsE "^$IN_RUN/containerd/" /proc/[0-9]*/cmdline | while IFS=/ read -r _ _ pid _; do
    program=$({ tr '\0' '\n' <"/proc/$pid/cmdline" | head -n 1; } 2>/dev/null)
    case " $1 " in *" ${program##*/} "*) echo "$pid" ;; esac
  done
}
# What keeps the input of a container open; a log or terminal of ours is named in its environment.
input_helpers() { grep -lzsE "^KEDGE_(STDIN|EXIT|TTY)=($IN_RUN|$IN_DATA)/" /proc/[0-9]*/environ | cut -d/ -f3; }
signal_all() { while read -r pid; do kill "-$1" "$pid" 2>/dev/null; done; }
none_of() { [ -z "$(pids_of "$1")" ]; }

# The server first, so that it starts nothing again.
stop_server() {
  installed=$(configured state-dir KEDGE_STATE_DIR | head -n 1)
  if [ "$RUN" = "${installed:-/run/kedge}" ] && [ -d /run/systemd/system ]; then
    for unit in kedge.service kedge-agent.service; do
      if systemctl -q is-active "$unit" 2>/dev/null; then systemctl stop "$unit"; fi
    done
  fi
  pid=$(cat "$RUN/kedge.pid" 2>/dev/null) || return 0
  grep -qzsxE 'server|agent' "/proc/$pid/cmdline" || return 0
  kill "$pid" 2>/dev/null
  until_true has_ended "$pid" || kill -9 "$pid" 2>/dev/null
}

# Where clients of containerd keep the input and output of containers and commands.
pipes_of_clients() {
  for pid in $(pids_of 'ctr containerd-shim-runc-v2'); do
    find "/proc/$pid/fd" -type l -printf '%l\n' 2>/dev/null | sed -n 's|^\(/run/containerd/fifo/[0-9]*\)/.*|\1|p'
  done | sort -u
}

# containerd before the shims, so that no container starts behind our back; it is of no use without the server.
stop_containerd() {
  pipes=$(pipes_of_clients)
  pids_of ctr | signal_all KILL
  input_helpers | signal_all KILL
  pids_of containerd | signal_all TERM
  until_true none_of containerd || pids_of containerd | signal_all KILL
  # Shims leave a socket and runc a folder elsewhere; both are known by what containerd noted per container.
  for task in "$RUN"/containerd/io.containerd.runtime.v2.task/*/*; do
    [ -d "$task" ] || continue
    socket=$(sed 's|^unix://||' "$task/address" 2>/dev/null)
    case "$socket" in /run/containerd/s/*) rm -f "$socket" ;; esac
    namespace=${task%/*}
    rm -rf --one-file-system "/run/containerd/runc/${namespace##*/}/${task##*/}"
  done
  pids_of containerd-shim-runc-v2 | signal_all KILL
  for folder in $pipes; do rm -rf --one-file-system "$folder"; done
}

# Every process inside our control groups is a container's.
our_groups() {
  for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ ! -d "$root/$CGROUP" ] || find "$root/$CGROUP" -depth "$@" 2>/dev/null
  done
}
kill_containers() {
  # A paused one would not notice.
  our_groups -name freezer.state | while read -r file; do echo THAWED >"$file"; done 2>/dev/null
  pids=$(our_groups -name cgroup.procs -exec cat {} + | sort -u)
  [ -n "$pids" ] || return 0
  echo "$pids" | signal_all KILL
  return 1
}
remove_groups() {
  our_groups -type d -exec rmdir {} + 2>/dev/null
  [ -z "$(our_groups -type d)" ]
}

# Newest first. A disk of the owner's below the data folder stays where it is.
our_mounts() {
  awk '{ lines[NR] = $5 } END { for (i = NR; i > 0; i--) print lines[i] }' /proc/self/mountinfo |
    grep -E "^($IN_RUN|$IN_DATA/agent/(pods|runtime|containerd))/"
}
remove_mounts() {
  our_mounts | while read -r mount; do
    mount=$(printf '%b' "$mount")
    umount "$mount" 2>/dev/null || umount -l "$mount"
  done
}

# Deletes a folder, but never through a mount.
remove_folder() {
  mounted=$(awk '{ print $5 }' /proc/self/mountinfo | grep -E "^$(escape "$1")/")
  if [ -n "$mounted" ]; then
    fail "$1 is not deleted, because something is mounted below it: $mounted"
  fi
  # A disk of the owner's that is mounted here stays mounted, and is empty then.
  rm -rf --one-file-system "$1" 2>/dev/null
  [ ! -d "$1" ] || [ -z "$(ls -A "$1")" ] || fail "$1 cannot be deleted: $(rm -rf --one-file-system "$1" 2>&1 | head -n 1)"
}

# Host ports of our pods, as CNI's portmap plugin maps them; its own chains go with the last user.
remove_host_ports() {
  command -v "$1-save" >/dev/null || return 0
  rules=$("$1-save" -t nat 2>/dev/null) || return 0
  case "$rules" in *CNI-HOSTPORT-DNAT*) ;; *) return 0 ;; esac
  ours=$(echo "$rules" | grep -E '^-A CNI-HOSTPORT-DNAT .*dnat name: \\"kedge\\"')
  if [ -n "$ours" ]; then
    {
      echo '*nat'
      echo "$ours" | sed 's/^-A/-D/'
      echo "$ours" | sed -n 's/.* -j \(CNI-DN-[0-9a-f]*\)$/-F \1\n-X \1/p' | sort -u
      echo COMMIT
    } | "$1-restore" --noflush
  fi
  "$1-save" -t nat | grep -q '^:CNI-DN-' && return 0
  {
    echo '*nat'
    "$1-save" -t nat | sed -n 's/^-A\( [A-Z]* .*-j CNI-HOSTPORT-[A-Z]*\)$/-D\1/p'
    "$1-save" -t nat | sed -n 's/^:\(CNI-HOSTPORT-[A-Z]*\) .*/-F \1/p'
    "$1-save" -t nat | sed -n 's/^:\(CNI-HOSTPORT-[A-Z]*\) .*/-X \1/p'
    echo COMMIT
  } | "$1-restore" --noflush
}

remove_network() {
  if command -v nft >/dev/null; then
    nft delete table inet kedge 2>/dev/null
    nft delete table inet kedge-policy 2>/dev/null
  fi
  remove_host_ports iptables
  remove_host_ports ip6tables
  cidr=$(setting service-cidr 10.43.0.0/16)
  dns=$(setting cluster-dns 10.43.0.10)
  ip link delete kedge-overlay 2>/dev/null
  ip route flush proto 107 2>/dev/null
  ip route delete "$cidr" dev lo 2>/dev/null
  case "$dns" in *:*) length=128 ;; *) length=32 ;; esac
  ip address delete "$dns/$length" dev lo 2>/dev/null
}

stop_server
stop_containerd
until_true kill_containers || fail "some containers cannot be killed; see: find /sys/fs/cgroup -path '*$CGROUP*' -name cgroup.procs"
remove_mounts
remove_network
until_true remove_groups || echo "warning: control groups named $CGROUP are still in use" >&2
remove_folder "$RUN"
# Shared with any other containerd, so only where there is none, and only what is empty.
if [ ! -S /run/containerd/containerd.sock ]; then
  rmdir /run/containerd/runc/* /run/containerd/* /run/containerd 2>/dev/null
fi
[ "${1:-}" != --clean ] || remove_folder "$DATA"
exit 0
