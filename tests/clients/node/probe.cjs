// probe.cjs mysql2|mariadb CA: for each line HOST PORT USER PASSWORD off|on|verified of its input one line: the account and the parameter,
// or why not. `on`: only with TLS; `verified`: and with the server's certificate and name verified.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');
const [driver, authority] = process.argv.slice(2);
const installed = createRequire(path.join(process.env.CLIENTS_NODE, 'package.json'));
const library = installed(driver === 'mysql2' ? 'mysql2/promise' : 'mariadb');
const how = {
  off: {},
  on: { ssl: { rejectUnauthorized: false } },
  verified: { ssl: driver === 'mysql2' ? { ca: fs.readFileSync(authority), verifyIdentity: true } : { ca: fs.readFileSync(authority) } },
};

// An error that a driver throws where nobody can catch it ends the attempt, not the program.
let thrown;
process.on('uncaughtException', (error) => thrown(error));

async function ask(login) {
  const one = await library.createConnection(login);
  const rows = await one.execute('SELECT CURRENT_USER() AS user, ? AS said', ['é']);
  await one.end();
  return driver === 'mysql2' ? rows[0][0] : rows[0];
}

async function main() {
  for (const line of fs.readFileSync(0, 'utf8').trim().split('\n')) {
    const [host, port, user, password, tls] = line.split(' ');
    try {
      const login = { host, port: Number(port), user, password, connectTimeout: 30000, ...how[tls], ...(driver === 'mariadb' && { allowPublicKeyRetrieval: true }) };
      const row = await Promise.race([ask(login), new Promise((_, reject) => { thrown = reject; })]);
      console.log(row.user, row.said);
    } catch (error) {
      console.log('failed:', error.message.replaceAll('\n', ' '));
    }
  }
}

main().then(() => process.exit());
