// The scenario with mysql2: scenario.cjs MODE HOST PORT USER PASSWORD SCHEMA. MODE is query (text) or execute (prepared).
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');
// The driver is where scripts/install-deps.sh put it, not beside this file.
const mysql = createRequire(path.join(process.env.CLIENTS_NODE, 'package.json'))('mysql2/promise');

const [mode, host, port, user, password, database] = process.argv.slice(2);
const statements = JSON.parse(fs.readFileSync(path.join(__dirname, '../statements.json'), 'utf8'));
const login = {
  host, port: Number(port), user, password, database, charset: 'utf8mb4_unicode_ci', timezone: 'Z', multipleStatements: true,
};

const say = (what, saw) => console.log(JSON.stringify({ what, saw }));
const statement = (name, fill = {}) => statements[name].replace(/\{(\w+)\}/g, (_, key) => fill[key]);
const importRows = (begin, end) =>
  Array.from({ length: end - begin }, (_, i) => `(${begin + i}, 'name ${begin + i} é', ${(begin + i) % 100}.25)`).join(', ');
const column = ({ name, columnType, type, columnLength, characterSet, flags, decimals, schema, table, orgTable, orgName }) =>
  ({ name, columnType, type, columnLength, characterSet, flags, decimals, schema, table, orgTable, orgName });

async function main() {
  const client = await mysql.createConnection(login);
  const run = (text, values = []) => client[mode](text, values);
  const rows = async (text, values) => (await run(text, values))[0];
  const write = async (text, values) => {
    const [{ affectedRows, insertId, warningStatus, changedRows, info }] = await run(text, values);
    return { affectedRows, insertId, warningStatus, changedRows, info };
  };
  const page = async (phase) => {
    say(`${phase} latest`, await rows(statement('latest', { phase }), [7]));
    say(`${phase} count`, await rows(statement('count', { phase }), [7]));
    say(`${phase} one`, await rows(statement('one', { phase }), [107]));
    say(`${phase} one again`, await rows(statement('one', { phase }), [108]));
    say(`${phase} none`, await rows(statement('one', { phase }), [4000000]));
    say(`${phase} join`, await rows(statement('join', { phase }), [7, '1000.50']));
    say(`${phase} metadata`, (await run(statement('latest', { phase }), [7]))[1].map(column));
  };
  const checkout = async (commit) => {
    await client.beginTransaction();
    say('lock', await rows(statement('lock'), [3]));
    say('take', await write(statement('take'), [2, 3]));
    const order = await write(statement('order'), [7, '39.98', '{"gift": "🎁"}', null]);
    say('order', order);
    say('item', await write(statement('last_item'), [1, 3, 2]));
    say('item', await write(statement('item'), [order.insertId, 2, 4, 1]));
    say('last id', await rows(statement('last_id')));
    await (commit ? client.commit() : client.rollback());
  };
  await page('before');
  await checkout(true);
  await page('bought');
  await checkout(false);
  await page('returned');

  for (let begin = 0; begin < 4000; begin += 1000) {
    say('import', await write(statement('import', { rows: importRows(begin, begin + 1000) })));
  }
  say('upsert', await write(statement('upsert', { rows: importRows(3500, 5000) })));
  const lines = Array.from({ length: 3000 }, (_, i) => `${10000 + i}\tloaded ${10000 + i}\t${i % 7}.50\n`).join('');
  const { Readable } = require('node:stream');
  const load = "LOAD DATA LOCAL INFILE 'lines' INTO TABLE imports (id, name, amount)";
  const [loaded] = await client.query({ sql: load, infileStreamFactory: () => Readable.from([Buffer.from(lines)], { objectMode: false }) });
  say('load', [loaded.affectedRows, loaded.info]);
  say('imported', await rows(statement('imported')));

  for (const text of statements.errors) {
    const saw = await run(text).then(([found]) => ['none', found], (e) => [e.errno, e.code, e.sqlState, e.sqlMessage]);
    say('error', saw);
  }
  say('alive', await rows('SELECT 1 AS one'));
  // Commands sent before the answers of those before them came.
  const pipelined = await Promise.all(Array.from({ length: 20 }, (_, i) => run('SELECT ? AS n', [i])));
  say('pipelined', pipelined.map(([[{ n }]]) => Number(n)));
  if (mode === 'query') {
    const [results] = await client.query("SELECT 1 AS a; DO 0; SELECT 2 AS b, 'x' AS c");
    say('multi', results.map((result) => (Array.isArray(result) ? result : result.affectedRows)));
  }

  const pool = mysql.createPool({ ...login, connectionLimit: 6, namedPlaceholders: true });
  const pooled = Array.from({ length: 40 }, async (_, i) => {
    await pool[mode]('INSERT INTO imports (id, name) VALUES (:id, :name)', { id: 50000 + i, name: `pool ${i} 🎁` });
    return i;
  });
  say('pool', (await Promise.all(pooled)).length);
  // All of one connection: what another wrote may not be on a replica yet.
  const one = await pool.getConnection();
  await one.query('UPDATE imports SET seen = 7 WHERE id >= 50000');
  say('pool saw', (await one[mode]('SELECT COUNT(*) AS n, SUM(seen) AS seen FROM imports WHERE id >= 50000'))[0]);
  one.release();
  await pool.end();
  const prepared = await client.prepare('SELECT id, name FROM customers WHERE id IN (?, ?) ORDER BY id');
  say('prepared', [(await prepared.execute([1, 2]))[0], (await prepared.execute([3, 400]))[0]]);
  await prepared.close();
  say('ping', await client.ping());

  const streaming = await mysql.createConnection(login);
  let count = 0, sum = 0, bytes = 0;
  await new Promise((resolve, reject) => {
    streaming.connection[mode](statement('million'))
      .on('error', reject)
      .on('result', (row) => { count += 1; sum += Number(row.n); bytes += row.text.length; })
      .on('end', resolve);
  });
  say('million', { count, sum, bytes });
  await streaming.changeUser({ user, password, database });
  say('changed user', (await streaming.query('SELECT DATABASE() AS d'))[0]);
  await streaming.end();
  await client.end();
}

main().catch((error) => { console.error(error); process.exit(1); });
