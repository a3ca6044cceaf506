#!/bin/bash
# annulus data import from outside: every format, command lines, exit codes, bad records, a killed import.
# timeout: 240
. "${BASH_SOURCE%/*}/cli.bash"

# ---- command lines
for format in idx cifar csv npy images hdf5 text; do
    data 0 import $format --help && has out "usage: annulus data import $format" && has out "--skip-bad" && has out "--shard N"
done
data 2 import && has err "a format is needed, accepted are idx, cifar, csv, npy, images, hdf5, text"
data 2 import cvs x y && has err "unknown format 'cvs', did you mean 'csv'?"
data 2 import csv table.csv && has err "annulus data import csv: FILE and OUT.h5 are needed"
data 2 import csv --delimiter ab t.csv t.h5 && has err "--delimiter: accepted is one character, or tab"
data 2 import csv --test-fraction 2 t.csv t.h5 && has err "--test-fraction: found '2'"
data 2 import csv --shard 0 t.csv t.h5 && has err "--shard: found '0'"
data 2 import csv --compress 10 t.csv t.h5 && has err "--compress: found '10'"
data 2 import csv --chunk 3 t.csv t.h5 && has err "--chunk is for --compress"
data 2 import npy x.h5 && has err "--x is missing"
data 2 import npy --x a.npy --field b x.h5 && has err "need NAME=FILE"
data 2 import npy --x a.npy --test-field b=c x.h5 && has err "--test-field without --field"
data 2 import npy --x a.npy --test-y c x.h5 && has err "--test-y without --y"
data 2 import images --size 28 folder x.h5 && has err "--size: accepted is HxW"
data 2 import images folder && has err "FOLDER and OUT.h5 are needed"
data 2 import cifar --test t.bin x.h5 && has err "--train is missing"
data 2 import hdf5 a.h5 && has err "IN.h5 and OUT.h5 are needed"
data 2 import hdf5 --train x a.h5 x.h5 && has err "--train: accepted is NAME=PATH,NAME=PATH..."
data 2 import hdf5 --test x=a a.h5 x.h5 && has err "--test without --train"
data 2 import hdf5 --shape 2,a a.h5 x.h5 && has err "--shape: accepted are extents such as 16,16,1"
data 2 import hdf5 --size 28 a.h5 x.h5 && has err "--size: accepted is HxW"
data 4 import hdf5 nowhere.h5 x.h5 && has err "nowhere.h5: No such file or directory"
data 4 import images nowhere x.h5 && has err "nowhere: No such file or directory"
data 4 import cifar nowhere x.h5 && has err "nowhere/data_batch_1.bin: No such file or directory"

# ---- csv
printf '%s\n' 'length,width,kind' '5.1,3.5,setosa' '6.2,?,other' '4.9,3.0,setosa' '7,3.2,other' >table.csv
data 6 import csv --target kind table.csv t.h5 && has err "error: table.csv: record 1: line 3: width: '?' is missing"
[ ! -e t.h5 ] && [ ! -e t.h5.part ] && [ ! -e t.h5.import ] || { echo "an import that failed left something"; ls; bad=1; }
data 0 import csv --target kind --skip-bad table.csv t.h5 && has err "bad records left out: 1" && has err "target, 2 classes"
data 0 verify t.h5 && data 0 info t.h5 && has out "setosa"
data 0 import csv --target kind --skip-bad --numeric length,width --classes setosa,other table.csv t.h5
data 0 info t.h5 && has out "class 1 "

# ---- npy
perl -e 'print "\x93NUMPY\x01\x00", pack("v", 60), sprintf("%-60s", "{\x27descr\x27: \x27|u1\x27, \x27fortran_order\x27: False, \x27shape\x27: (50, 4)}"), pack("C*", map { $_ % 251 } 1 .. 200)' >x.npy
perl -e 'print "\x93NUMPY\x01\x00", pack("v", 60), sprintf("%-60s", "{\x27descr\x27: \x27<i8\x27, \x27fortran_order\x27: False, \x27shape\x27: (50,)}"), pack("q<*", map { $_ % 3 } 1 .. 50)' >y.npy
data 0 import npy --x x.npy --y y.npy --field mask=x.npy --test-fraction 0.2 n.h5
data 0 info n.h5 && has out "train     40 samples" && has out "test      10 samples" && has out "mask"
data 0 import npy --x x.npy --y y.npy --shard 20 s.h5 && data 0 verify s.h5
[ "$(ls s-train-*.h5 | wc -l)" = 3 ] || { echo "not three shards"; ls; bad=1; }
data 1 import npy --x x.npy --shard 20 s.h5 && has err "s.h5: exists; a dataset in shards is not written over another one"

# ---- hdf5: the dataset that npy has made, its rows taken as images
data 0 import hdf5 --shape 2,2,1 --size 3x3 n.h5 h.h5 && data 0 verify h.h5
data 0 info h.h5 && has out "[40,3,3,1]" && has out "[10,3,3,1]" && has out "n.h5 xxh3:" && has out "mask"
data 0 import hdf5 --train x=train/mask,y=train/y --shape 1,4 --test-fraction 0.1 --shard 20 n.h5 hs.h5 && data 0 verify hs.h5
data 0 info hs.h5 && has out "[36,1,4,1]" && has out "[4,1,4,1]"
if [ -r "${ANNULUS_TEST_DATA:-}/usps.h5" ]; then
    data 0 import hdf5 --train x=train/data,y=train/target --test x=test/data,y=test/target --shape 16,16,1 --size 28x28 "$ANNULUS_TEST_DATA/usps.h5" u.h5
    data 0 verify u.h5 && data 0 info u.h5 && has out "[7291,28,28,1]" && has out "[2007,28,28,1]" && has out "class 0        1194" 1
else
    echo "skipped: usps.h5 is not there (ANNULUS_TEST_DATA)"
fi

# ---- cifar
perl -e 'print pack("C*", $_ % 10, map { $_ % 256 } 1 .. 3072) for 1 .. 20' >batch.bin
data 0 import cifar --train batch.bin --train batch.bin --test batch.bin c.h5
data 0 info c.h5 && has out "[40,32,32,3]" && has out "[20,32,32,3]"

# ---- killed: the same command goes on
perl -e 'my $n = 70000; print pack("CCCCNNN", 0, 0, 8, 3, $n, 28, 28), chr(7) x ($n * 784)' >images
for wait in 0.05 0.15; do
    "$ANNULUS" data import idx --train-images images k.h5 2>/dev/null &
    sleep $wait
    kill -KILL $! 2>/dev/null
    wait $! 2>/dev/null
done
data 0 import idx --train-images images k.h5 && data 0 verify k.h5
[ "$(ls k.h5* | wc -l)" = 1 ] || { echo "something is left"; ls k.h5*; bad=1; }
exit $bad
