#!/bin/sh
# Stops Kedge and everything it started: server, containers, shims, containerd, mounts, network. Keeps the data.
#   KEDGE_DATA_DIR, KEDGE_STATE_DIR, KEDGE_CGROUP_ROOT: where they are, if not in the usual places.
set -u
DATA=${KEDGE_DATA_DIR:-/var/lib/kedge}
RUN=${KEDGE_STATE_DIR:-/run/kedge}
CGROUP=${KEDGE_CGROUP_ROOT:-kedge}
[ "$(id -u)" = 0 ] || { echo 'error: run this as root' >&2; exit 1; }

# Processes whose command line names one of our folders as an argument: ours, nobody else's.
pids_of() {
  for dir in /proc/[0-9]*; do
    pid=${dir#/proc/}
    [ "$pid" = "$$" ] && continue
    tr '\0' '\n' <"$dir/cmdline" 2>/dev/null | grep -qE "$1" && echo "$pid"
  done
}

stop_processes() {
  pattern=$1
  signal=$2
  for pid in $(pids_of "$pattern"); do kill "-$signal" "$pid" 2>/dev/null; done
  tries=0
  while [ -n "$(pids_of "$pattern")" ] && [ "$tries" -lt 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
}

# The server first, so that it restarts nothing; then containers, their shims, and containerd.
if [ -f "$RUN/kedge.pid" ]; then
  pid=$(cat "$RUN/kedge.pid")
  if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'kedge'; then
    kill "$pid" 2>/dev/null
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
      sleep 0.1
      tries=$((tries + 1))
    done
    kill -9 "$pid" 2>/dev/null
  fi
fi

# Every process inside our control groups is a container's.
for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ -d "$root/$CGROUP" ] || continue
  find "$root/$CGROUP" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u | while read -r pid; do kill -9 "$pid" 2>/dev/null; done
done
stop_processes "^$RUN/containerd/" KILL
stop_processes "^($RUN|$DATA)/.*containerd.*(sock|toml)$" TERM
stop_processes "^($RUN|$DATA)/.*containerd.*(sock|toml)$" KILL

# Deepest mounts first; only what lies below our two folders.
awk '{print $2}' /proc/self/mounts | grep -E "^($DATA|$RUN)/" | sort -r | while read -r mount; do
  umount -l "$(printf '%b' "$mount")" 2>/dev/null
done

command -v nft >/dev/null && nft delete table inet kedge 2>/dev/null
command -v nft >/dev/null && nft delete table ip kedge 2>/dev/null
for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ -d "$root/$CGROUP" ] && find "$root/$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null
done
rm -rf "$RUN"
exit 0
