# probe.rb mysql2|activerecord CA: for each line HOST PORT USER PASSWORD off|on|verified of its input one line: the account and the
# parameter, or why not. `on`: only with TLS; `verified`: and with the server's certificate and name verified.
require 'mysql2'
driver, authority = ARGV
require 'active_record' if driver == 'activerecord'
$stdin.each_line do |line|
  host, port, user, password, tls = line.split
  login = { host: host, port: port.to_i, username: user, password: password, encoding: 'utf8mb4' }
  login.merge!(ssl_mode: :required, sslverify: false, sslcipher: 'ALL') if tls == 'on'
  login.merge!(ssl_mode: :verify_identity, sslverify: true, sslca: authority) if tls == 'verified'
  row =
    if driver == 'activerecord'
      ActiveRecord::Base.establish_connection(login.merge(adapter: 'mysql2', prepared_statements: true))
      ActiveRecord::Base.connection.exec_query('SELECT CURRENT_USER(), ?', 'probe', [ActiveRecord::Relation::QueryAttribute.new('said', 'é', ActiveRecord::Type::String.new)]).rows.first
    else
      Mysql2::Client.new(login).prepare('SELECT CURRENT_USER() AS user, ? AS said').execute('é').first.values
    end
  puts row.join(' ')
rescue StandardError => e
  puts "failed: #{e.message.tr("\n", ' ')}"
end
