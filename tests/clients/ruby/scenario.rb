# mysql2 (mode mysql2) and ActiveRecord on it (mode activerecord): scenario.rb MODE HOST PORT USER PASSWORD SCHEMA.
require 'bigdecimal'
require 'digest'
require 'json'
require 'mysql2'
require 'tempfile'

MODE, HOST, PORT, USER, PASSWORD, SCHEMA = ARGV
LOGIN = { host: HOST, port: PORT.to_i, username: USER, password: PASSWORD, database: SCHEMA, encoding: 'utf8mb4' }.freeze
STATEMENTS = JSON.parse(File.read(File.join(__dir__, '../statements.json'), encoding: 'utf-8'))
BIG = [1 << 20, 17 << 20].freeze
Encoding.default_external = Encoding::UTF_8
$stdout.sync = true

def plain(value)
  case value
  when Hash then value.to_h { |key, one| [key, plain(one)] }
  when Array then value.map { |one| plain(one) }
  when String
    next_value = value.encoding == Encoding::BINARY ? "bytes #{value.unpack1('H*')}" : value
    value.bytesize > 5000 ? "#{value.bytesize} bytes #{Digest::MD5.hexdigest(value)}" : next_value
  when BigDecimal then "decimal #{value.to_s('F')}"
  when Time then value.strftime('time %F %T.%6N %z')
  when Date then "date #{value}"
  else value
  end
end

def say(what, saw) = puts(JSON.generate({ what: what, saw: plain(saw) }))

def statement(name, fill = {}) = fill.reduce(STATEMENTS[name]) { |text, (key, value)| text.gsub("{#{key}}", value) }

def failing
  ['none', yield]
rescue Mysql2::Error => e
  [e.class.name, e.error_number, e.sql_state, e.message]
end

def mysql2
  options = LOGIN.merge(local_infile: true, flags: ['MULTI_STATEMENTS'], connect_attrs: { program: 'checkout' })
  client = Mysql2::Client.new(options)
  rows = ->(text, *values) { values.empty? ? client.query(text).to_a : client.prepare(text).execute(*values).to_a }
  say('before latest', rows.(statement('latest', 'phase' => 'before'), 7))
  say('before count', rows.(statement('count', 'phase' => 'before'), 7))
  say('before one', rows.(statement('one', 'phase' => 'before'), 107))
  result = client.query(statement('one', 'phase' => 'before').sub('?', '107'))
  say('fields', [result.fields, result.respond_to?(:field_types) && result.field_types])
  client.query('START TRANSACTION')
  say('lock', rows.(statement('lock'), 3))
  take = client.prepare(statement('take'))
  take.execute(2, 3)
  say('take', take.affected_rows)
  order = client.prepare(statement('order'))
  order.execute(7, '39.98', '{"gift": "🎁"}', nil)
  say('order', [order.last_id, order.affected_rows, client.last_id])
  say('last id', rows.('SELECT LAST_INSERT_ID() AS last_id'))
  client.query('COMMIT')
  client.query('BEGIN')
  client.query('DELETE FROM items')
  client.query('ROLLBACK')
  say('items', rows.('SELECT COUNT(*) FROM items'))
  say('kinds', client.query('SELECT * FROM kinds ORDER BY id', cast_booleans: true, as: :array).to_a)
  say('kinds prepared', client.prepare('SELECT id, tiny_u, whole_u, big_u, exact, single, twice, bits, yes, day, moment, stamp, anno, few, some, many, raw, body, one, several, doc, place FROM kinds WHERE id >= ? ORDER BY id').execute(1, as: :array).to_a)
  BIG.each do |size|
    body = ("à🎁b\0".b * (size / 8 + 1))[0, size]
    client.prepare('INSERT INTO uploads (name, body) VALUES (?, ?)').execute(size.to_s, body)
    say('big', rows.('SELECT SHA2(body, 256) AS m, body FROM uploads WHERE name = ?', size.to_s))
    client.query("UPDATE uploads SET body = '#{client.escape(body)}' WHERE name = '#{size}'")
    say('big', [client.affected_rows, rows.("SELECT body FROM uploads WHERE name = '#{size}'")])
  end
  say('multi', client.query("SELECT 1 AS a; DO 0; SELECT 2 AS b, 'x' AS c").to_a)
  while client.next_result
    result = client.store_result
    say('multi', result&.to_a)
  end
  client.query('CREATE PROCEDURE two(IN a INT) BEGIN SELECT a AS a; SELECT name FROM customers LIMIT 2; END')
  say('call', client.query('CALL two(7)').to_a)
  while client.next_result
    result = client.store_result
    say('call', result&.to_a)
  end
  client.query('DROP PROCEDURE two')
  STATEMENTS['errors'].each do |text|
    say('error', failing { client.query(text).to_a })
    say('error', failing { client.prepare(text).execute.to_a })
  end
  client.query("INSERT IGNORE INTO customers (id, name) VALUES (1, 'again')")
  say('warnings', [client.warning_count, client.query('SHOW WARNINGS').to_a])
  Tempfile.create('lines') do |file|
    file.write((10_000...12_000).map { |i| "#{i}\tloaded #{i}\t#{i % 7}.50\n" }.join)
    file.flush
    client.query("LOAD DATA LOCAL INFILE '#{file.path}' INTO TABLE imports (id, name, amount)")
    say('load', [client.affected_rows, client.query_info_string])
  end
  streamed = 0
  streaming = Mysql2::Client.new(LOGIN)
  streaming.query('SELECT a.d * 100 + b.d * 10 + c.d FROM digits a, digits b, digits c', stream: true, cache_rows: false, as: :array).each { |row| streamed += row[0] }
  streaming.close
  say('streamed', streamed)
  say('ping', [client.ping, client.select_db('information_schema'), client.query('SELECT DATABASE()').to_a, client.thread_id.positive?])
  say('server', client.server_info)
  client.close
  say('refused', failing { Mysql2::Client.new(LOGIN.merge(password: 'wrong')) }[0, 3])
  say('refused', failing { Mysql2::Client.new(LOGIN.merge(database: 'no_such_schema')) }[0, 3])
end

def activerecord
  require 'active_record'
  ActiveRecord::Base.establish_connection(LOGIN.merge(adapter: 'mysql2', pool: 3, prepared_statements: true, variables: { sql_mode: 'TRADITIONAL' }))
  ActiveRecord::Migration.verbose = false
  connection = ActiveRecord::Base.connection
  say('before', connection.select_all("SELECT 'before' AS phase, orders.* FROM orders WHERE customer_id = 7 ORDER BY id DESC LIMIT 3").to_a)
  say('adapter', [connection.adapter_name, connection.mariadb?, connection.charset, connection.collation])
  ActiveRecord::Schema.define do
    create_table(:shelves, force: true) { |t| t.string :name, null: false, index: { unique: true } }
    create_table(:volumes, force: true) do |t|
      t.references :shelf, foreign_key: true
      t.string :title, limit: 120
      t.decimal :price, precision: 10, scale: 2
      t.datetime :printed, precision: 6
      t.boolean :lent, default: false
      t.text :details
      t.binary :cover, limit: 64 << 20
      t.integer :lock_version, default: 0
      t.timestamps precision: 6, default: -> { 'CURRENT_TIMESTAMP(6)' }
    end
  end
  Object.const_set(:Shelf, Class.new(ActiveRecord::Base) { has_many :volumes, class_name: 'Volume', dependent: :destroy })
  Object.const_set(:Volume, Class.new(ActiveRecord::Base) { belongs_to :shelf, class_name: 'Shelf', optional: true })
  say('columns', Volume.columns.map { |c| [c.name, c.sql_type, c.null, c.default, c.collation] })
  say('indexes', connection.indexes('shelves').map { |i| [i.name, i.unique, i.columns] })
  say('keys', connection.foreign_keys('volumes').map { |k| [k.column, k.to_table] })
  now = Time.utc(2024, 12, 24, 12, 0, 0.125r)
  shelves = (1..5).map { |i| Shelf.create!(name: "Größe 🛒 #{i}") }
  say('ids', shelves.map(&:id))
  Volume.insert_all((1..300).map { |i| { shelf_id: shelves[i % 5].id, title: "Bd. #{i} 🎁", price: i / 8r, printed: now + i, details: "{\"k\": [\"é\", #{i}]}", cover: [i].pack('N') } })
  say('count', [Volume.count, Volume.sum(:price), Volume.group(:shelf_id).average(:price)])
  say('where', Volume.where(price: 3..4, lent: false).order(:id).limit(5).map { |v| v.attributes.except('created_at', 'updated_at') })
  say('joined', Shelf.joins(:volumes).where(volumes: { title: 'Bd. 7 🎁' }).pluck(:name, 'volumes.price'))
  say('included', Shelf.includes(:volumes).order(:id).map { |s| [s.name, s.volumes.size] })
  say('upsert', Shelf.upsert_all([{ id: 1, name: 'renamed' }, { id: 77, name: 'new' }]).length)
  Volume.transaction do
    volume = Volume.lock.find_by!(title: 'Bd. 9 🎁')
    volume.update!(lent: true)
    Volume.transaction(requires_new: true) do
      volume.update!(title: 'gone')
      raise ActiveRecord::Rollback
    end
  end
  say('savepoint', [Volume.where(lent: true).pluck(:title), Volume.exists?(title: 'gone')])
  Volume.transaction(isolation: :serializable) { say('isolated', Volume.maximum(:price)) }
  stale = Volume.find_by!(title: 'Bd. 8 🎁')
  Volume.find(stale.id).update!(price: 5)
  begin
    stale.update!(price: 6)
  rescue ActiveRecord::StaleObjectError => e
    say('stale', e.message)
  end
  [-> { Shelf.create!(name: 'renamed') }, -> { Volume.create!(shelf_id: 12_345) }, -> { connection.execute('SELEC 1') }, -> { Shelf.create!(name: nil) }, -> { Volume.create!(title: 'x' * 121) }].each do |wrong|
    wrong.call
    say('error', 'none')
  rescue ActiveRecord::StatementInvalid => e
    say('error', [e.class.name, e.message.lines.first])
  end
  BIG.each do |size|
    Volume.create!(title: size.to_s, cover: ("à🎁b\0".b * (size / 8 + 1))[0, size])
    say('big', Volume.uncached { Volume.find_by!(title: size.to_s).cover })
  end
  seen = 0
  Volume.in_batches(of: 70) { |part| seen += part.update_all('lock_version = lock_version + 1') }
  say('batches', seen)
  say('explained', Volume.where(id: 1).explain.include?('volumes'))
  say('async pool', 3.times.map { |i| Thread.new { ActiveRecord::Base.connection_pool.with_connection { |c| c.select_value("SELECT #{i} * 2") } } }.map(&:value))
  connection.reconnect!
  say('again', [connection.active?, Shelf.count])
  connection.reset!
  say('destroyed', Shelf.find(2).destroy.destroyed?)
  say('left', Volume.count)
  connection.drop_table(:volumes)
  connection.drop_table(:shelves)
end

send(MODE)
