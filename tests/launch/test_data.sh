#!/bin/bash
# annulus data from outside: text, byte pairs, info, verify, sample; bad inputs with their lines and exit codes.
# timeout: 240
. "${BASH_SOURCE%/*}/cli.bash"

# says TEXT: stderr is this line and no other
says() {
    [ "$(cat err)" = "$1" ] && return
    echo "not the line: $1"
    sed 's/^/    /' err
    bad=1
}

# ---- help and command lines
for command in import "import idx" "import text" info verify split merge sample bpe; do
    data 0 $command --help && has out "usage: annulus data $command"
    data 0 --help && has out "  ${command%% *} "
done
data 2 && has err "annulus data: a command is needed, accepted are import, info, verify"
data 2 smaple && says "annulus data: unknown command 'smaple', did you mean 'sample'?; see annulus data --help"
data 2 info && says "annulus data info: one file is needed, found 0; see annulus data info --help"
data 2 bpe one && says "annulus data bpe: TEXT and OUT.bpe are needed; see annulus data bpe --help"
data 2 bpe --size 255 a b && has err "--size: found '255', accepted is an integer from 256 to 1048576"
data 2 import text a && has err "TEXT and OUT.h5 are needed"
data 2 import text --level word a b && has err "--level: accepted are byte, char and bpe"
data 2 import text --level bpe a b && has err "--level bpe needs --bpe FILE, made by annulus data bpe"
data 2 import text --level char --bpe c a b && has err "--bpe goes with --level bpe"
data 2 import text --length 0 a b && has err "--length: found '0', accepted is an integer from 1 to 16777216"
data 2 split a b && has err "one of --test-fraction, --sizes and --by-class is needed"
data 2 split --by-class --sizes 3 a b && has err "one of --test-fraction, --sizes and --by-class is needed"
data 2 split --sizes 3,,4 a b && has err "--sizes: accepted are up to 64 numbers such as 50000,10000"
data 2 split --by-class a && has err "FILE and OUT.h5 are needed"
data 2 merge a b && has err "two files at least and OUT.h5 are needed"
data 2 sample --shape 3,x a && has err "--shape: found '3,x', accepted are extents such as 28,28,1"
data 2 sample --field x a && has err "--field: found 'x', accepted is NAME=PATH"

# ---- text
printf 'abcdefghij' >ten
printf 'K\xc3\xa4se und Br\xc3\xb6tchen. K\xc3\xa4se und Brot.\n' >breakfast
data 0 import text --length 3 ten ten.h5
has err "10 tokens of 256, 3 samples of 3 + 1; 0 tokens at the end fill no sample"
data 0 verify ten.h5
data 0 sample ten.h5 && has out "    abcd" 1 && has out "    defg" 1 && has out "    ghij" 1
data 0 import text --length 3 --test-fraction 0.34 ten ten.h5
data 0 sample --split test ten.h5 && has out "sample 0:" 1 && has out "    ghij" 1
data 0 import text --length 4 ten ten ten2.h5 && has err "20 tokens of 256, 4 samples of 4 + 1; 3 tokens at the end"
data 6 import text --length 10 ten no.h5 && says "error: ten: 10 tokens, and one sample of length 10 needs 11"
data 4 import text none no.h5 && says "error: none: No such file or directory"
: >empty
data 6 import text empty no.h5 && says "error: empty: 0 tokens, and one sample of length 256 needs 257"
data 0 import text --level char --length 6 breakfast char.h5 && has err "34 tokens of 17, 5 samples of 6 + 1; 3 tokens at the end"
data 0 sample --count 6 char.h5 && has out "    Käse un" 1 && has out "    nd Bröt" 1
data 0 info char.h5 && has out "u8 [5,7]" && has out "level     char" && has out "tokens    17 of 19 bytes together"
for junk in '\xff' '\xc0\x80' '\xed\xa0\x80' '\xf4\x90\x80\x80' '\xe2\x82' '\x80'; do
    { cat breakfast; printf "$junk"; } >junk
    data 6 import text --level char junk no.h5
    says "error: junk: byte 37 (0x$(printf "$junk" | od -An -tx1 | cut -c2-3)) is no UTF-8; --level byte takes any bytes"
done
[ ! -e no.h5 ] || { echo "no.h5 was written"; bad=1; }

# ---- byte pairs
data 0 bpe --size 260 breakfast b.bpe && says "b.bpe: 260 tokens from 37 bytes of text"
has b.bpe "annulus-bpe 1" 1 && has b.bpe "merges 4" 1
data 0 bpe --size 1000 breakfast again.bpe && has err "tokens, not 1000: no other pair occurs twice in the texts"
data 6 bpe empty no.bpe && says "error: empty: no text to learn from"
data 0 bpe --size 260 breakfast c.bpe && cmp b.bpe c.bpe || bad=1
data 0 import text --bpe b.bpe --length 5 breakfast bpe.h5 && has err "of 260"
sed 's/^merges 4/merges 5/' b.bpe >bad.bpe
data 6 import text --bpe bad.bpe breakfast no.h5
says "error: bad.bpe:7: accepted: LEFT RIGHT, two tokens from 0 to 259"

# ---- images: 40 of 8 x 8 in two classes
mkdir idx
for split in train:40 t10k:10; do
    perl -e 'my $n = shift; binmode STDOUT; print pack("NNNN", 0x803, $n, 8, 8);
             print pack("C64", map { 3 * $_ } 1..64) for 1..$n' "${split#*:}" >"idx/${split%:*}-images-idx3-ubyte"
    perl -e 'my $n = shift; binmode STDOUT; print pack("NN", 0x801, $n); print pack("C", $_ % 4 == 0) for 1..$n' \
        "${split#*:}" >"idx/${split%:*}-labels-idx1-ubyte"
done
data 0 import idx --classes dark,bright idx tiny.h5
data 0 sample --out tiny.png --count 8 tiny.h5 && has err "tiny.png: 8 of 40 samples"
[ "$(head -c 4 tiny.png | od -An -tx1)" = " 89 50 4e 47" ] || { echo "tiny.png is no PNG"; bad=1; }
data 0 sample --split test --out tiny.png tiny.h5 && has err "tiny.png: 10 of 10 samples"
data 6 sample --split valid tiny.h5 && has err "tiny.h5: /valid"
data 5 sample --out none/tiny.png tiny.h5 && says "error: none/tiny.png: No such file or directory"

# ---- what training gets
cat >run.yaml <<'END'
name: seen
output: out
data: { path: tiny.h5 }
models: { net: [flatten: {}, dense: { name: fc, units: 2 }] }
phases:
  - name: plain
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 16
    program: [{ epochs: 1, lr: 0.1 }]
  - name: seen
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 16
    augment: [flip: {}, crop: { padding: 1 }, gaussian: { sigma: 0.1 }, mixup: { alpha: 1 }]
    program: [{ epochs: 1, lr: 0.1 }]
END
data 0 sample --run run.yaml --out plain.png && has err "plain.png: 40 training samples of phase plain"
data 0 sample --run run.yaml --phase seen --count 9 --out a.png && has err "a.png: 9 training samples of phase seen"
data 0 sample --run run.yaml --phase seen --count 9 --out b.png
data 0 sample --run run.yaml --phase seen --count 9 --epoch 1 --out c.png && has err "c.png: 9 training"
cmp a.png b.png || bad=1
data 4 sample --run run.yaml --phase no && says "error: run.yaml: there is no phase \"no\""
data 2 sample --run run.yaml tiny.h5 && has err "--run names a run file, and 'tiny.h5' is one file too many"
data 0 split --test-fraction 0.25 tiny.h5 quarter.h5 && data 0 verify quarter.h5
data 0 info quarter.h5 && has out "train     30 samples" && has out "test      10 samples"
has out "class 0          23  dark" 1 && has out "class 1           7  bright" 1 && has out "class 1           3  bright" 1
data 0 split --by-class tiny.h5 class.h5 && has err "class-1.h5: 10 samples, class 1 bright"
data 0 split --sizes 20,5 --compress 4 tiny.h5 size.h5 && has err "size-1.h5: 5 samples"
data 0 info size-0.h5 && has out "shuffle deflate"
data 1 split --sizes 20,21 tiny.h5 no.h5 && says "error: tiny.h5: parts of 41 samples together, and /train has 40"
data 0 merge class-1.h5 class-0.h5 merged.h5 && data 0 verify merged.h5
data 0 info merged.h5 && has out "train     40 samples" && has out "class-1.h5 xxh3:" && has out "train-images-idx3-ubyte xxh3:"
has out "class 0          30  dark" 1

# ---- other domains
data 2 transform a.yaml tiny.h5 && has err "DESCRIPTOR.yaml, FILE and OUT.h5 are needed"
data 2 transform --classes a,b a.yaml tiny.h5 no.h5 && has err "unknown option --classes"
data 2 transform nothing.yaml tiny.h5 no.h5 && has err "nothing.yaml"
printf '%s\n' 'transform:' '  - blurr: { sigma: 1 }' >wrong.yaml
data 2 transform wrong.yaml tiny.h5 no.h5 && says "error: wrong.yaml:2:5: transform[0].blurr: unknown op, did you mean 'blur'?"
data 0 transform --help && has out "- texture: {"
for descriptor in "$ANNULUS_SOURCE"/datasets/*.yaml; do
    domain=$(basename "$descriptor" .yaml)
    data 0 transform "$descriptor" tiny.h5 "$domain.h5" && data 0 verify "$domain.h5"
    data 0 info "$domain.h5" && has out "name      $domain" && has out "$domain.yaml xxh3:" && has out "train-images-idx3-ubyte xxh3:"
    has out "class 0          30  dark" 1
done
data 0 transform --shard 7 "$descriptor" tiny.h5 shards.h5 && data 0 verify shards.h5 && data 0 info shards.h5 && has out "6 shards"

# ---- indexes, and one flipped byte anywhere
flip() { perl -e 'open F, "+<", $ARGV[0]; binmode F; seek F, $ARGV[1], 0; read F, $b, 1; seek F, $ARGV[1], 0; print F chr(ord($b) ^ 1)' "$@"; }
data 0 import idx --shard 15 --classes dark,bright idx 'many%.h5' && data 0 verify 'many%.h5'
has out "many%-train-00002.h5: /train/x  xxh3" && has out "many%-train-00000.h5: /train/y" && has out "many%.h5: /test/y"
data 0 info 'many%.h5' && has out "virtual, 3 shards" && has out "virtual, 1 shard,"
at=$("$ANNULUS" data info 'many%-train-00001.h5' | sed -n 's/^  x .*contiguous at \([0-9]*\),.*/\1/p')
flip 'many%-train-00001.h5' "$((at + 77))"
data 6 verify 'many%.h5' && has out "DAMAGED: the file says" 2
has err "error: many%-train-00001.h5: /train/x: checksum is" && has err "(2 of 12 checksums differ)"
flip 'many%-train-00001.h5' "$((at + 77))"
data 0 verify 'many%.h5'
mv 'many%-train-00001.h5' hidden
data 4 verify 'many%.h5' && says "error: many%-train-00001.h5: No such file or directory"
at=$("$ANNULUS" data info tiny.h5 | sed -n 's/^  y .*contiguous at \([0-9]*\),.*/\1/p' | head -n 1)
flip tiny.h5 "$((at + 3))"
data 6 verify tiny.h5 && has err "error: tiny.h5: /train/y: checksum is" && has err "(1 of 4 checksums differ)"
flip tiny.h5 "$((at + 3))"
data 0 verify tiny.h5

# ---- a file of another layout
if [ -r "${ANNULUS_TEST_DATA:-}/usps.h5" ]; then
    data 0 info "$ANNULUS_TEST_DATA/usps.h5" && has out "7291 samples" && has out "train: { x: train/data, y: train/target }"
    has out "# shape: [16, 16, 1]"
    data 0 sample --field x=train/data --field y=train/target --shape 16,16,1 --out usps.png "$ANNULUS_TEST_DATA/usps.h5"
    has err "usps.png: 60 of 7291 samples"
    data 0 sample --field x=test/data --field y=test/target --count 3 "$ANNULUS_TEST_DATA/usps.h5" && has out "... of 256" 3
    data 4 verify "$ANNULUS_TEST_DATA/usps.h5" && has err "no checksum to verify"
else
    echo "left out: usps.h5 is not in ANNULUS_TEST_DATA"
fi

data 6 merge tiny.h5 char.h5 no.h5 && has err "error: char.h5: /train is not labelled, and tiny.h5 is labelled"
data 4 merge tiny.h5 none.h5 no.h5 && says "error: none.h5: No such file or directory"

exit $bad
