# Logs in, asks with a parameter, and prints the account: probe.rb DRIVER HOST PORT USER PASSWORD off|on. `on`: only with TLS.
require 'mysql2'
_, host, port, user, password, tls = ARGV
login = { host: host, port: port.to_i, username: user, password: password, encoding: 'utf8mb4' }
client = Mysql2::Client.new(tls == 'on' ? login.merge(ssl_mode: :required, sslverify: false, sslcipher: 'ALL') : login)
puts client.prepare('SELECT CURRENT_USER() AS user, ? AS said').execute('é').first.values.join(' ')
