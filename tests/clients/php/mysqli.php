<?php
// mysqli. Modes: text (COM_QUERY), prepared.
declare(strict_types=1);
require __DIR__ . '/scenario.php';

final class MysqliClient
{
    private mysqli $mysqli;

    public function __construct(private string $mode, private array $login)
    {
        mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
        $this->mysqli = $this->connect();
    }

    private function connect(): mysqli
    {
        $mysqli = mysqli_init();
        $mysqli->options(MYSQLI_OPT_LOCAL_INFILE, true);
        $mysqli->options(MYSQLI_OPT_INT_AND_FLOAT_NATIVE, true);
        [$host, $port, $user, $password, $schema] = $this->login;
        $mysqli->real_connect($host, $user, $password, $schema, $port);
        $mysqli->set_charset('utf8mb4');
        return $mysqli;
    }

    private function query(string $text, array $values): mysqli_result|bool
    {
        if ($this->mode === 'prepared') {
            return $this->mysqli->execute_query($text, $values);
        }
        $parts = explode('?', $text);
        $filled = array_shift($parts);
        foreach ($parts as $index => $part) {
            $value = $values[$index];
            $literal = is_int($value) ? (string) $value : ($value === null ? 'NULL' : "'" . $this->mysqli->real_escape_string($value) . "'");
            $filled .= $literal . $part;
        }
        return $this->mysqli->query($filled);
    }

    public function rows(string $text, array $values): array
    {
        return $this->query($text, $values)->fetch_all(MYSQLI_ASSOC);
    }

    public function columns(string $text, array $values): array
    {
        return $this->query($text, $values)->fetch_fields();
    }

    public function write(string $text, array $values): array
    {
        $text[0] === 'L' || strlen($text) > 2000 ? $this->mysqli->query($text) : $this->query($text, $values);
        return [$this->mysqli->affected_rows, $this->mysqli->info, $this->mysqli->warning_count];
    }

    public function insert_id(): int
    {
        return $this->mysqli->insert_id;
    }

    public function begin(): void
    {
        $this->mysqli->begin_transaction();
    }

    public function end(bool $commit): void
    {
        $commit ? $this->mysqli->commit() : $this->mysqli->rollback();
    }

    public function error(string $text): array
    {
        try {
            $result = $this->query($text, []);
            return ['none', $result->num_rows];
        } catch (mysqli_sql_exception $error) {
            return [$error->getCode(), $error->getSqlState(), $error->getMessage()];
        }
    }

    /** What only mysqli has. */
    public function more(): void
    {
        $statement = $this->mysqli->prepare('SELECT id, name FROM customers ORDER BY id');
        $statement->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
        $statement->execute();
        $id = $name = null;
        $statement->bind_result($id, $name);
        while ($statement->fetch()) {
            say('cursor', [$id, $name]);
        }
        $statement->close();

        $this->mysqli->query('CREATE TEMPORARY TABLE uploads (id INT, body LONGBLOB)');
        $upload = $this->mysqli->prepare('INSERT INTO uploads VALUES (?, ?)');
        $id = 1;
        $body = null;
        $upload->bind_param('ib', $id, $body);
        for ($part = 0; $part < 30; $part++) {
            $upload->send_long_data(1, str_repeat(chr(65 + $part % 26), 100000));
        }
        $upload->execute();
        say('long data', $this->rows('SELECT id, LENGTH(body), SHA2(body, 256) FROM uploads', []));

        $this->mysqli->query('CREATE PROCEDURE two(IN a INT, OUT b INT) BEGIN SELECT a AS a; SELECT name FROM customers LIMIT 2; SET b = a + 1; END');
        $this->mysqli->multi_query('CALL two(7, @b)');
        do {
            if ($result = $this->mysqli->store_result()) {
                say('call', $result->fetch_all());
            }
        } while ($this->mysqli->next_result());
        say('out', $this->rows('SELECT @b', []));
        $call = $this->mysqli->prepare('CALL two(?, @b)');
        $call->execute([8]);
        do {
            if ($result = $call->get_result()) {
                say('prepared call', $result->fetch_all());
            }
        } while ($call->next_result());
        $call->close();
        $this->mysqli->query('DROP PROCEDURE two');

        $this->mysqli->query("INSERT INTO imports (id, name, amount) VALUES (90001, 'x', 1) ON DUPLICATE KEY UPDATE seen = 2");
        $this->mysqli->query("INSERT IGNORE INTO imports (id, name, amount) VALUES (90001, 'x', 1)");
        say('warnings', [$this->mysqli->warning_count, $this->mysqli->get_warnings()->message]);
        $this->mysqli->query("UPDATE IGNORE imports SET amount = 'three' WHERE id = 90001");
        say('warnings', [$this->mysqli->warning_count, $this->mysqli->query('SHOW WARNINGS')->fetch_all()]);
        say('ping', $this->mysqli->query('DO 1'));
        $this->mysqli->change_user($this->login[2], $this->login[3], $this->login[4]);
        say('changed user', $this->rows('SELECT DATABASE(), @b, @@character_set_client', []));
        say('charset', [$this->mysqli->set_charset('latin1'), $this->mysqli->query('SELECT name FROM customers LIMIT 1')->fetch_row() !== null]);
        say('select_db', [$this->mysqli->select_db('information_schema'), $this->rows('SELECT DATABASE() AS d, COUNT(*) AS n FROM character_sets', [])]);
        try {
            $this->mysqli->select_db('nowhere');
        } catch (mysqli_sql_exception $error) {
            say('select_db', [$error->getCode(), $error->getMessage()]);
        }
        say('stat', [str_contains($this->mysqli->stat(), 'Uptime'), $this->mysqli->thread_id > 0]);
        $id = $this->mysqli->thread_id;
        say('id', $this->mysqli->query('SELECT CONNECTION_ID()')->fetch_row()[0] == $id);
    }

    public function million(string $text): array
    {
        $mysqli = $this->connect();
        $sum = new Sum();
        if ($this->mode === 'prepared') {
            $statement = $mysqli->prepare($text);
            $statement->execute();
            $n = $words = null;
            $statement->bind_result($n, $words);
            while ($statement->fetch()) {
                $sum->add([$n, $words]);
            }
            return $sum->total();
        }
        $result = $mysqli->query($text, MYSQLI_USE_RESULT);
        while ($row = $result->fetch_row()) {
            $sum->add($row);
        }
        $result->free();
        // Several statements in one command, with several results.
        $mysqli->multi_query('SELECT 1 AS a; SELECT 2 AS b, 3 AS c; DO 0; SELECT NULL');
        do {
            $result = $mysqli->store_result();
            say('multi', $result ? $result->fetch_all() : $mysqli->affected_rows);
        } while ($mysqli->next_result());
        return $sum->total();
    }
}

$client = new MysqliClient($mode, [$host, (int) $port, $user, $password, $schema]);
scenario($client);
$client->more();
