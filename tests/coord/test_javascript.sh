#!/bin/bash
# A client of @grpc/grpc-js over mutual TLS. Debian has no package of it: npm install @grpc/grpc-js @grpc/proto-loader somewhere, and
# NODE_PATH=THERE/node_modules.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
command -v node >/dev/null && node -e 'require("@grpc/grpc-js"); require("@grpc/proto-loader")' 2>/dev/null ||
    { echo "skipped: node finds no @grpc/grpc-js and @grpc/proto-loader; NODE_PATH says where they are"; exit 77; }
run 0 "$ANNULUS" coordinator init --state state
start_server
run 0 node "$ANNULUS_SOURCE/tests/coord/operator.js" "$address" state "$ANNULUS_SOURCE/src/coord/annulus.proto"
has out good
stop_server TERM 0
exit $bad
