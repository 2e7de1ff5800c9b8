#!/bin/sh
# Runs a real cluster with a real workload on this machine: sudo scripts/quickstart.sh
#   --stop   take everything down, keep the data      --clean  take everything down and delete the data
set -eu
cd "$(dirname "$0")/.."
. scripts/prerequisites.sh

# Other places, for a second board in a network namespace of its own; and an executable that is built already.
DATA=${KEDGE_DATA_DIR:-/var/lib/kedge}
RUN=${KEDGE_STATE_DIR:-/run/kedge}
KUBECONFIG=${KEDGE_WRITE_KUBECONFIG:-/etc/kedge/kedge.yaml}
LOG=${KEDGE_LOG_FILE:-/var/log/kedge-quickstart.log}
PID_FILE=$RUN/kedge.pid
export KUBECONFIG

usage() { sed -n '2,3s/^# \{0,1\}//p' "$0"; }

case "${1:-}" in
  '') ;;
  --stop) action=stop ;;
  --clean) action=clean ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; fail "unknown flag $1" ;;
esac
[ "$(id -u)" = 0 ] || fail 'containers and namespaces need root: sudo scripts/quickstart.sh'

server_pid() { cat "$PID_FILE" 2>/dev/null || echo none; }
is_running() { grep -qzsx server "/proc/$(server_pid)/cmdline"; }

if [ "${action:-}" = clean ]; then
  KEDGE_DATA_DIR=$DATA KEDGE_STATE_DIR=$RUN scripts/kedge-killall.sh --clean
  rm -f "$KUBECONFIG" "$LOG"
  rmdir "$(dirname "$KUBECONFIG")" 2>/dev/null || true
  say 'Stopped, data deleted.'
  exit 0
elif [ "${action:-}" = stop ]; then
  KEDGE_DATA_DIR=$DATA KEDGE_STATE_DIR=$RUN scripts/kedge-killall.sh
  say 'Stopped, data kept.'
  exit 0
fi

check_kernel
install_runtime busybox-static curl ca-certificates
KEDGE=${KEDGE_BINARY:-}
if [ -z "$KEDGE" ]; then
  install_npm
  npm_packages omit
  build_kedge
  KEDGE="$(pwd -P)/dist/kedge-linux-$(architecture)"
fi

IMAGES=$DATA/agent/images
if [ ! -f "$IMAGES/busybox.tar" ]; then
  say 'Making a small image from busybox-static'
  mkdir -p "$IMAGES"
  node test/fixtures/busybox-image.ts "$IMAGES/busybox.tar" kedge.local/busybox:1
fi

if is_running && [ "$(readlink "/proc/$(server_pid)/exe")" != "$KEDGE" ]; then
  say 'Replacing a kedge server of another build; its containers go on'
  kill "$(server_pid)"
  while is_running; do sleep 0.2; done
fi
if is_running; then
  say "kedge server is already running (pid $(server_pid))"
else
  say "Starting kedge server (log: $LOG)"
  mkdir -p "$RUN" "$(dirname "$LOG")"
  setsid "$KEDGE" server --data-dir "$DATA" --state-dir "$RUN" --write-kubeconfig "$KUBECONFIG" >>"$LOG" 2>&1 </dev/null &
  echo $! >"$PID_FILE"
fi

# Up to a minute: a small board needs a while for its first certificates.
tries=0
until "$KEDGE" kubectl get nodes --no-headers 2>/dev/null | grep -q ' Ready '; do
  is_running || { sleep 1; is_running; } || { tail -n 20 "$LOG" >&2; fail 'kedge server has stopped; its last words are above'; }
  tries=$((tries + 1))
  [ "$tries" -le 120 ] || { tail -n 20 "$LOG" >&2; fail 'the node did not become Ready within a minute'; }
  [ $((tries % 10)) -eq 0 ] && echo '    waiting for the node to be Ready ...'
  sleep 0.5
done

say 'Applying examples/hello'
"$KEDGE" kubectl apply -f examples/hello --force-conflicts
"$KEDGE" kubectl rollout status deployment/hello --timeout=120s
"$KEDGE" kubectl rollout status deployment/visitor --timeout=120s

say 'The cluster'
"$KEDGE" kubectl get nodes -o wide
echo
"$KEDGE" kubectl get pods -o wide
echo
"$KEDGE" kubectl get services

# What is seen above may be from before a reboot, so give it a moment.
eventually() {
  tries=0
  until answer=$("$@" 2>&1) && [ -n "$answer" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 30 ] || fail "no answer: $answer"
    sleep 1
  done
  echo "$answer"
}
ask_from_pod() {
  pod=$("$KEDGE" kubectl get pods -l app=visitor -o name | head -n 1)
  "$KEDGE" kubectl exec "$pod" -- sh -c \
    "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 hello.default.svc.cluster.local 80" | grep Hello
}
ip=$("$KEDGE" kubectl get service hello --no-headers | awk '{print $3}')
say "From this machine: curl http://$ip/"
eventually curl -sS --max-time 10 "http://$ip/"
say 'From inside a pod, by name: hello.default.svc.cluster.local'
eventually ask_from_pod

cat <<END

It keeps running. Go on with:
  export KUBECONFIG=$KUBECONFIG
  kubectl get pods -A                      (any stock kubectl)
  $KEDGE kubectl get pods -A
  $KEDGE kubectl logs -f $("$KEDGE" kubectl get pods -l app=visitor -o name | head -n 1)
  scripts/quickstart.sh --stop             (or --clean, to delete the data as well)
END
