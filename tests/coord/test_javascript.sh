#!/bin/bash
# timeout: 240
# A client of @grpc/grpc-js over mutual TLS: submits, watches and stops a run. Debian has no package of it: the versions of
# package-lock.json are fetched once from npm's registry, into the build folder.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
skip() { echo "skipped: $*"; exit 77; }
for program in node npm; do command -v $program >/dev/null || skip "$program is not installed"; done
here=$ANNULUS_SOURCE/tests/coord there=$ANNULUS_BUILD/tests/javascript
if ! cmp -s "$here/package-lock.json" "$there/installed"; then
    rm -rf "$there"
    mkdir -p "$there" && cp "$here/package.json" "$here/package-lock.json" "$there" || exit 1
    code=0
    (cd "$there" && timeout -k 5 120 npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=20000) \
        >npm.out 2>&1 </dev/null || code=$?
    [ $code != 124 ] && ! grep -qE 'code (E(NOTFOUND|AI_AGAIN|CONN[A-Z]+|TIMEDOUT|[A-Z]+UNREACH)|FETCH_ERROR)' npm.out ||
        skip "npm's registry is not reached: $(tail -n 3 npm.out | xargs)"
    [ $code = 0 ] || { echo "npm ci has failed: $(cat npm.out)"; exit 1; }
    cp "$here/package-lock.json" "$there/installed"
fi
run 0 "$ANNULUS" coordinator init --state state
start_server
run 0 env NODE_PATH="$there/node_modules" node "$here/operator.js" "$address" state "$ANNULUS_SOURCE/src/coord/annulus.proto"
has out good
stop_server TERM 0
exit $bad
