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

scenario(new MysqliClient($mode, [$host, (int) $port, $user, $password, $schema]));
