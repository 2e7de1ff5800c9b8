#!/bin/sh
# Removes Kedge from this board: services, containers, network, data, executable. Packages of the distribution and your
# own configuration stay, and so does every disk that is mounted below the data folder: then nothing is deleted.
#   --keep-data   keep the data folder
set -eu
PATH=$PATH:/usr/sbin:/sbin
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
usage() { sed -n '2,4s/^# \{0,1\}//p' "$0"; }

clean=--clean
case "${1:-}" in
  '') ;;
  --keep-data) clean= ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; fail "unknown flag $1" ;;
esac
[ "$(id -u)" = 0 ] || fail "run this as root: sudo $0"

here=$(cd "$(dirname "$0")" && pwd)
units=${INSTALL_KEDGE_SYSTEMD_DIR:-/etc/systemd/system}

# Stops everything, and deletes the data; reads the units and their environment to know where things are.
# shellcheck disable=SC2086 # nothing or one flag
INSTALL_KEDGE_SYSTEMD_DIR=$units "$here/kedge-killall.sh" $clean

kubeconfig=$(INSTALL_KEDGE_SYSTEMD_DIR=$units "$here/kedge-killall.sh" --setting write-kubeconfig /etc/kedge/kedge.yaml)
for unit in kedge kedge-agent; do
  [ -f "$units/$unit.service" ] || continue
  systemctl disable --quiet "$unit.service" 2>/dev/null || true
  rm -f "$units/$unit.service"
done
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl reset-failed kedge.service kedge-agent.service 2>/dev/null || true
fi
rm -f "$kubeconfig" /etc/kedge/kedge.env /etc/kedge/kedge-agent.env /run/kedge.started /run/kedge-agent.started
rmdir /etc/kedge 2>/dev/null || [ ! -d /etc/kedge ] || echo "kept: your configuration in /etc/kedge"
[ "$(readlink "$here/kubectl" 2>/dev/null)" != kedge ] || rm -f "$here/kubectl"
rm -rf "$here"/.kedge-install.*
rm -f "$here/kedge" "$here/kedge-killall.sh" "$here/kedge-uninstall.sh"
echo 'Kedge is removed.'
