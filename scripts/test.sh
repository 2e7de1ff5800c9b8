#!/bin/sh
# Installs what the tests need, then runs lint, type check, unit, contract, end-to-end and conformance tests.
# Ends with one line: N passed, N failed, N skipped.
set -eu
cd "$(dirname "$0")/.."
. scripts/prerequisites.sh
[ "$(id -u)" = 0 ] || fail 'the tests start containers and need root: sudo scripts/test.sh'

install_runtime busybox-static curl ca-certificates shellcheck unzip jq procps binutils xz-utils file systemd \
  binutils-aarch64-linux-gnu qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross libatomic1-arm64-cross
install_npm
npm_packages include

say 'Lint'
node_modules/.bin/biome check --error-on-warnings --max-diagnostics=20 .
shellcheck -x scripts/*.sh
say 'Types'
node_modules/.bin/tsc -p .
build_kedge "$(architecture)" arm64

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
status=0
say 'Unit and contract tests'
node_modules/.bin/vitest run --reporter=default --reporter=json --outputFile.json="$results/unit.json" || status=1
say 'End-to-end tests'
node_modules/.bin/vitest run --config test/e2e/vitest.config.ts --reporter=default --reporter=json --outputFile.json="$results/e2e.json" || status=1
say 'Conformance specs of the API'
node test/e2e/conformance/run.ts --api --quick || status=1
cp dist/conformance/vitest-api.json "$results/conformance.json" || true

# A file that did not even load counts as a failure; so does a run that left no report.
count() { jq -s "[.[].$1] | add // 0" "$results"/*.json; }
for suite in unit e2e conformance; do [ -s "$results/$suite.json" ] || { echo "no report of the $suite tests" >&2; status=1; }; done
broken=$(jq -s '[.[].testResults[] | select(.status == "failed" and (.assertionResults | all(.status != "failed")))] | length' "$results"/*.json)
failed=$(($(count numFailedTests) + broken))
[ "$failed" -eq 0 ] || status=1
# What failed, and how, once more at the end, where the last screen of a log shows it.
jq -rs '.[].testResults[] | .name as $file
  | if .status == "failed" and (.assertionResults | all(.status != "failed")) then "FAILED \($file)\n\(.message)" else empty end,
    (.assertionResults[] | select(.status == "failed") | "FAILED \($file): \(.fullName)\n\(.failureMessages | join("\n") | .[0:2000])")' "$results"/*.json
printf '%s passed, %s failed, %s skipped\n' "$(count numPassedTests)" "$failed" "$(count numPendingTests)"
exit "$status"
