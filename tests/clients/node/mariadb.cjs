// The mariadb connector: mariadb.cjs MODE HOST PORT USER PASSWORD SCHEMA. MODE is query (text) or execute (prepared).
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { createRequire } = require('node:module');
const mariadb = createRequire(path.join(process.env.CLIENTS_NODE, 'package.json'))('mariadb');

const [mode, host, port, user, password, database] = process.argv.slice(2);
const statements = JSON.parse(fs.readFileSync(path.join(__dirname, '../statements.json'), 'utf8'));
const login = {
  host, port: Number(port), user, password, database, multipleStatements: true, permitLocalInfile: true, timezone: 'Z',
  // MySQL without TLS gives its RSA key on request.
  allowPublicKeyRetrieval: true, connectAttributes: { program: 'checkout' }, maxAllowedPacket: 64 << 20,
};
const plain = (key, value) => {
  if (typeof value === 'bigint') return `bigint ${value}`;
  if (value && value.type === 'Buffer') {
    return value.data.length > 500 ? ['buffer', value.data.length, crypto.createHash('md5').update(Buffer.from(value.data)).digest('hex')] : Buffer.from(value.data).toString('hex');
  }
  return value;
};
const say = (what, saw) => console.log(JSON.stringify({ what, saw }, plain));
const statement = (name, fill = {}) => statements[name].replace(/\{(\w+)\}/g, (_, key) => fill[key]);
const column = (c) => ({
  columnType: c.columnType, columnLength: c.columnLength, scale: c.scale, type: c.type, flags: c.flags, collation: c.collation && c.collation.name,
  names: [c.db(), c.table(), c.orgTable(), c.name(), c.orgName()],
});

async function main() {
  const client = await mariadb.createConnection(login);
  const run = (text, values) => (mode === 'execute' ? client.execute(text, values) : client.query(text, values));
  const failing = (promise) => promise.then((found) => ['none', found], (e) => [e.errno, e.code, e.sqlState, e.sqlMessage]);
  for (const phase of ['before', 'bought']) {
    say(`${phase} latest`, await run(statement('latest', { phase }), [7]));
    say(`${phase} count`, await run(statement('count', { phase }), [7]));
    say(`${phase} one`, await run(statement('one', { phase }), [107]));
    say(`${phase} join`, await run(statement('join', { phase }), [7, '1000.50']));
    say(`${phase} metadata`, (await run(statement('latest', { phase }), [7])).meta.map(column));
    if (phase === 'bought') break;
    await client.beginTransaction();
    say('lock', await run(statement('lock'), [3]));
    say('take', await run(statement('take'), [2, 3]));
    const order = await run(statement('order'), [7, '39.98', '{"gift": "🎁"}', null]);
    say('order', order);
    say('item', await run(statement('last_item'), [1, 3, 2]));
    say('item', await run(statement('item'), [order.insertId, 2, 4, 1]));
    say('last id', await run(statement('last_id')));
    await client.commit();
    await client.beginTransaction();
    await run('DELETE FROM items WHERE order_id = ?', [order.insertId]);
    await client.rollback();
  }
  say('kinds', await run('SELECT * FROM kinds ORDER BY id'));
  say('kinds', (await client.query({ sql: 'SELECT * FROM kinds WHERE id = 1', rowsAsArray: true })).map(String));
  for (const size of [1 << 20, (16 << 20) - 200, 17 << 20]) {
    const body = Buffer.alloc(size, 'à🎁b');
    say('upload', await run('INSERT INTO uploads (name, body) VALUES (?, ?)', [String(size), body]));
    say('uploaded', await run('SELECT LENGTH(body) AS n, SHA2(body, 256) AS m, body FROM uploads WHERE name = ?', [String(size)]));
  }
  const batch = Array.from({ length: 3000 }, (_, i) => [i, i % 3 ? `é ${i} 🎁` : `x${i}`, i % 5 ? i / 4 : null]);
  say('batch', await client.batch('INSERT INTO imports (id, name, amount) VALUES (?, ?, ?)', batch));
  say('batch', await failing(client.batch('INSERT INTO imports (id, name, amount) VALUES (?, ?, ?)', [[90000, 'a', 1], [1, 'again', 1]])));
  say('batch', await client.batch('INSERT INTO uploads (name) VALUES (?)', [['a'], ['b'], ['c']]));
  say('imported', await run(statement('imported')));
  say('prepared', await (async () => {
    const prepared = await client.prepare('SELECT id, name FROM customers WHERE id IN (?, ?) ORDER BY id');
    const saw = [await prepared.execute([1, 2]), await prepared.execute([3, 400]), prepared.parameters && prepared.parameters.length];
    prepared.close();
    return saw;
  })());
  for (const text of statements.errors) say('error', await failing(run(text)));
  say('alive', await run('SELECT 1 AS one'));
  say('pipelined', (await Promise.all(Array.from({ length: 30 }, (_, i) => run('SELECT ? AS n', [i])))).map(([{ n }]) => Number(n)));
  say('pipelined', await Promise.all([run('SELECT 1'), failing(run('SELECT * FROM nowhere')), run('SELECT 2')]));
  say('multi', await client.query("SELECT 1 AS a; DO 0; SELECT 2 AS b, 'x' AS c"));
  await client.query('CREATE PROCEDURE two(IN a INT, OUT b INT) BEGIN SELECT a AS a; SET b = a + 1; END');
  say('call', await run('CALL two(?, @b)', [7]));
  say('out', await client.query('SELECT @b'));
  say('out of a prepared call', await failing(client.execute('CALL two(?, ?)', [7, null])));
  await client.query('DROP PROCEDURE two');
  const file = path.join(os.tmpdir(), `lines-${process.pid}.tsv`);
  fs.writeFileSync(file, Array.from({ length: 3000 }, (_, i) => `${10000 + i}\tloaded ${10000 + i}\t${i % 7}.50\n`).join(''));
  say('load', await client.query(`LOAD DATA LOCAL INFILE '${file}' INTO TABLE imports (id, name, amount)`));
  fs.unlinkSync(file);
  say('load', (await failing(client.query(`LOAD DATA LOCAL INFILE '${file}' INTO TABLE imports (id, name, amount)`)))[0]);
  say('ignored', await run("INSERT IGNORE INTO customers (id, name) VALUES (1, 'again')"));
  say('warnings', await client.query('SHOW WARNINGS'));
  await client.ping();
  await client.query('SET @kept = 5');
  await failing(client.reset());
  say('reset', await client.query('SELECT @kept AS kept, DATABASE() AS d'));
  // It does not do so on MySQL.
  say('change user', await failing(client.changeUser({ user, password, database })));
  say('changed user', await client.query('SELECT @kept AS kept, DATABASE() AS d'));
  say('server', [client.serverVersion(), client.info.isMariaDB(), client.threadId > 0]);
  say('escaped', client.escape("it's \\ 🎁"));

  let count = 0, sum = 0;
  for await (const row of client.queryStream('SELECT a.d * 10000 + b.d * 1000 + c.d * 100 + d.d * 10 + e.d AS n FROM digits a, digits b, digits c, digits d, digits e')) { count += 1; sum += Number(row.n); }
  say('streamed', { count, sum });
  await client.end();

  const pool = mariadb.createPool({ ...login, connectionLimit: 4, resetAfterUse: true, minDelayValidation: 0 });
  say('pool', (await Promise.all(Array.from({ length: 40 }, (_, i) => pool[mode]('INSERT INTO imports (id, name) VALUES (?, ?)', [50000 + i, `pool ${i} 🎁`])))).length);
  say('pool saw', await pool[mode]('SELECT COUNT(*) AS n FROM imports WHERE id >= ?', [50000]));
  say('pool batch', await pool.batch('UPDATE imports SET seen = ? WHERE id = ?', [[7, 50000], [8, 50001], [9, 1000000]]));
  await pool.end();
  for (const wrong of [{ password: 'wrong' }, { database: 'no_such_schema' }]) {
    const [errno, , state] = await failing(mariadb.createConnection({ ...login, ...wrong }));
    say('refused', [errno, state]);
  }
}

main().catch((error) => { console.error(error); process.exit(1); });
