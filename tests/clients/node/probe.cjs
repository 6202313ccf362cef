// Logs in, asks with a parameter, and prints the account: probe.cjs DRIVER HOST PORT USER PASSWORD off|on. `on`: only with TLS.
'use strict';
const path = require('node:path');
const { createRequire } = require('node:module');
const [driver, host, port, user, password, tls] = process.argv.slice(2);
const installed = createRequire(path.join(process.env.CLIENTS_NODE, 'package.json'));
const ssl = tls === 'on' ? { rejectUnauthorized: false } : undefined;
const login = { host, port: Number(port), user, password, ...(ssl && { ssl }) };

async function main() {
  if (driver === 'mysql2') {
    const one = await installed('mysql2/promise').createConnection(login);
    const [[row]] = await one.execute("SELECT CURRENT_USER() AS user, ? AS said", ['é']);
    console.log(row.user, row.said);
    await one.end();
  } else {
    const one = await installed('mariadb').createConnection({ ...login, allowPublicKeyRetrieval: true });
    const [row] = await one.execute("SELECT CURRENT_USER() AS user, ? AS said", ['é']);
    console.log(row.user, row.said);
    await one.end();
  }
}

main().catch((error) => { console.error(error.message); process.exit(1); });
