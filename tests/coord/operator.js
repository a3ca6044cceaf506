// A foreign client in JavaScript, @grpc/grpc-js: submits, watches and stops a run over mutual TLS.
// usage: operator.js ADDRESS FOLDER_OF_CERTIFICATES PROTO
const [address, folder, proto] = process.argv.slice(2);
const assert = require('node:assert');
const fs = require('node:fs');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const v1 = grpc.loadPackageDefinition(loader.loadSync(proto, {keepCase: true, longs: Number, enums: String, defaults: true})).annulus.v1;
const read = (file) => fs.readFileSync(`${folder}/${file}`);
const open = (name) =>
    new v1.Operator(address, grpc.credentials.createSsl(read('ca.crt'), read(`${name}.key`), read(`${name}.crt`)));
const call = (client, method, request) =>
    new Promise((good, bad) => client[method](request, {deadline: Date.now() + 20000}, (error, reply) => error ? bad(error) : good(reply)));

async function main() {
    const control = open('control'), observe = open('observe');
    assert.equal((await call(control, 'Submit', {run: 'js', run_file: 'x'})).known, false);
    await assert.rejects(call(observe, 'Control', {run: 'js', kind: 'STOP', step: -1}), {code: grpc.status.PERMISSION_DENIED});

    const kinds = [];
    const stream = observe.Watch({run: 'js', sequence: 1});
    const stopped = new Promise((good, bad) => {
        stream.on('error', bad);
        stream.on('data', (reply) => {
            for (const record of reply.records) {
                kinds.push(record.event.kind);
                assert.equal(record.sequence, kinds.length);
                if (record.event.kind === 'stopped') good();
                if (record.event.kind === 'submitted') call(control, 'Control', {run: 'js', kind: 'STOP', step: -1}).catch(bad);
            }
        });
    });
    await stopped;
    stream.removeAllListeners('error');
    stream.on('error', () => {});
    stream.cancel();
    assert.deepEqual(kinds, ['submitted', 'control', 'stopped']);
    const status = await call(observe, 'Status', {run: 'js'});
    assert.equal(status.summary.state, 'RUN_STOPPED');
    const log = await call(observe, 'Log', {run: 'js'});
    assert.deepEqual(log.entries.map((e) => [e.author, e.action]), [['control (control)', 'Submit'], ['control (control)', 'STOP']]);
    control.close();
    observe.close();
    console.log('good');
}

setTimeout(() => { console.error('nothing came'); process.exit(1); }, 60000).unref();
main().catch((error) => { console.error(error); process.exit(1); });
