#!/bin/sh
# Runs a real cluster with a real workload on this machine: sudo scripts/quickstart.sh
#   --stop   take everything down, keep the data      --clean  take everything down and delete the data
set -eu
cd "$(dirname "$0")/.."
. scripts/prerequisites.sh

DATA=/var/lib/kedge
RUN=/run/kedge
CONFIG=/etc/kedge/kedge.yaml
LOG=/var/log/kedge-quickstart.log
PID_FILE=$RUN/kedge.pid

usage() { sed -n '2,3s/^# \{0,1\}//p' "$0"; }

case "${1:-}" in
  '') ;;
  --stop) action=stop ;;
  --clean) action=clean ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; fail "unknown flag $1" ;;
esac
[ "$(id -u)" = 0 ] || fail 'containers and namespaces need root: sudo scripts/quickstart.sh'

is_running() { [ -f "$PID_FILE" ] && kill -0 "$(cat "$PID_FILE")" 2>/dev/null; }

if [ -n "${action:-}" ]; then
  scripts/kedge-killall.sh
  [ "$action" = clean ] && rm -rf "$DATA" /etc/kedge "$LOG"
  say "Stopped${action:+, $([ "$action" = clean ] && echo 'data deleted' || echo 'data kept')}."
  exit 0
fi

install_runtime busybox-static curl ca-certificates
install_npm
npm_packages --omit=dev
build_kedge
KEDGE="$PWD/dist/kedge-linux-$(architecture)"

IMAGES=$DATA/agent/images
if [ ! -f "$IMAGES/busybox.tar" ]; then
  say 'Making a small image from busybox-static'
  mkdir -p "$IMAGES"
  node test/fixtures/busybox-image.ts "$IMAGES/busybox.tar" kedge.local/busybox:1
fi

if is_running; then
  say "kedge server is already running (pid $(cat "$PID_FILE"))"
else
  say "Starting kedge server (log: $LOG)"
  mkdir -p "$RUN"
  setsid "$KEDGE" server --data-dir "$DATA" --state-dir "$RUN" --write-kubeconfig "$CONFIG" >>"$LOG" 2>&1 </dev/null &
  echo $! >"$PID_FILE"
fi

# Up to a minute: a small board needs a while for its first certificates.
tries=0
until "$KEDGE" kubectl get nodes --no-headers 2>/dev/null | grep -q ' Ready '; do
  is_running || { tail -n 20 "$LOG" >&2; fail 'kedge server has stopped; its last words are above'; }
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

ip=$("$KEDGE" kubectl get service hello --no-headers | awk '{print $3}')
say "From this machine: curl http://$ip/"
curl -sS --retry 5 --retry-connrefused --max-time 10 "http://$ip/"
pod=$("$KEDGE" kubectl get pods -l app=visitor -o name | head -n 1)
say 'From inside a pod, by name: hello.default.svc.cluster.local'
"$KEDGE" kubectl exec "$pod" -- sh -c \
  "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 hello.default.svc.cluster.local 80 | tail -n 1"

cat <<END

It keeps running. Go on with:
  export KUBECONFIG=$CONFIG
  kubectl get pods -A                      (any stock kubectl)
  $KEDGE kubectl get pods -A
  $KEDGE kubectl logs -f $pod
  scripts/quickstart.sh --stop             (or --clean, to delete the data as well)
END
