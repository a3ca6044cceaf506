#!/bin/bash
# A module includes only modules above it in this list, and each third-party library has its own places.
set -u
cd "$ANNULUS_SOURCE" || exit 1
order=(base tensor kernel graph pass exec comm data ckpt nn optim method coord train)
rank() { local i; for i in "${!order[@]}"; do [ "${order[i]}" = "$1" ] && echo "$i" && return; done; echo -1; }

# allowed MODULE HEADER: may a file of src/MODULE include "HEADER"?
allowed() {
    local from=$1 header=$2 to=${2%%/*}
    [ "$to" != "$from" ] || return 0
    case $from:$header in
    kernel:graph/op.h | kernel:graph/ops.def) return 0 ;;
    base:annulus_build.h | coord:web_assets.h) return 0 ;; # made by the build
    graph:comm/* | pass:comm/* | nn:comm/* | optim:comm/* | method:comm/*) return 1 ;;
    esac
    case $from in
    coord) [ "$to" = base ]; return ;;
    data) [ "$to" = base ] || [ "$to" = tensor ]; return ;;
    ckpt) [ "$to" = base ] || [ "$to" = tensor ] || [ "$to" = comm ]; return ;;
    esac
    local f t
    f=$(rank "$from") t=$(rank "$to")
    [ "$f" -ge 0 ] && [ "$t" -ge 0 ] && [ "$t" -lt "$f" ]
}

# Where a third-party header may be included (folders below the top; tests may include anything).
places() {
    case $1 in
    mpi.h) echo 'src/comm launch launch/doctor' ;;
    hdf5.h) echo 'src/base src/data src/ckpt datasets launch/doctor' ;;
    cblas.h | dnnl*.h | oneapi/*) echo 'src/kernel' ;;
    libfyaml.h) echo 'src/base src/ckpt src/train' ;;
    grpc/* | sqlite3.h | openssl/* | protobuf-c/* | microhttpd.h) echo 'src/coord' ;;
    xxhash.h) echo 'src/base' ;;
    zlib.h) echo 'datasets src/data src/ckpt' ;;
    png.h | jpeglib.h) echo 'datasets' ;;
    *intrin.h) echo 'src/kernel' ;;
    *) echo any ;;
    esac
}

bad=0 edges=0
complain() { echo "$1"; bad=1; }
while IFS=: read -r file line text; do
    header=$(sed -E 's/^#[ \t]*include[ \t]*[<"]([^>"]+).*/\1/' <<<"$text")
    folder=${file%/*}
    edges=$((edges + 1))
    if [[ $text == *\"* && $file == src/*/* ]]; then
        module=${file#src/}
        allowed "${module%%/*}" "$header" || complain "$file:$line: src/${module%%/*} must not include \"$header\""
    fi
    where=$(places "$header")
    [ "$where" = any ] || [[ " $where " == *" $folder "* ]] || complain "$file:$line: <$header> belongs in: $where"
done < <(grep -rnE '^#[ \t]*include[ \t]*[<"]' --include='*.[ch]' --include='*.def' src launch datasets)

[ $edges -gt 0 ] || complain "no #include found: the check does not work"
# The rules themselves must be able to refuse.
allowed base graph/graph.h && complain "the check accepts base -> graph"
allowed nn comm/comm.h && complain "the check accepts nn -> comm"
allowed coord tensor/tensor.h && complain "the check accepts coord -> tensor"
allowed ckpt coord/coord.h && complain "the check accepts ckpt -> coord"
allowed kernel graph/graph.h && complain "the check accepts kernel -> graph/graph.h"
echo "$edges includes checked"
exit $bad
