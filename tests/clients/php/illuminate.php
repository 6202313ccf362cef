<?php
// Laravel's own query builder (illuminate/database), with its read and write connections on one host, and without.
declare(strict_types=1);
require __DIR__ . '/scenario.php';
foreach (['Illuminate/Database', 'Illuminate/Support', 'Illuminate/Container'] as $package) {
    require_once "/usr/share/php/$package/autoload.php";
}

use Illuminate\Database\Capsule\Manager as Capsule;

$capsule = new Capsule();
$login = [
    'driver' => 'mysql', 'host' => $host, 'port' => (int) $port, 'database' => $schema, 'username' => $user,
    'password' => $password, 'charset' => 'utf8mb4', 'collation' => 'utf8mb4_unicode_ci', 'prefix' => '', 'strict' => true,
    'timezone' => '+00:00',
];
if ($mode === 'split') {
    $login = ['read' => ['host' => [$host]], 'write' => ['host' => [$host]], 'sticky' => true] + $login;
}
$capsule->addConnection($login);
$db = $capsule->getConnection();

$page = function (string $phase) use ($db) {
    $orders = fn () => $db->table('orders')->selectRaw("'$phase' as phase, orders.*")->where('customer_id', 7);
    say("$phase latest", $orders()->latest('id')->limit(20)->get());
    say("$phase page", $orders()->orderBy('id')->forPage(2, 5)->get());
    say("$phase one", $orders()->where('orders.id', 107)->first());
    say("$phase none", $orders()->where('orders.id', 4000000)->first());
    say("$phase count", $db->table('orders')->where('customer_id', 7)->count());
    say("$phase sum", $db->table('orders')->where('customer_id', 7)->sum('total'));
    say("$phase exists", $db->table('orders')->where('attributes->gift', true)->exists());
    say("$phase join", $orders()->join('items', 'items.order_id', '=', 'orders.id')
        ->join('products', 'products.id', '=', 'items.product_id')->orderByDesc('orders.id')->orderBy('position')
        ->limit(10)->get(['sku', 'products.name', 'items.quantity', 'products.price']));
};
$order = function () use ($db) {
    $product = $db->table('products')->where('id', 3)->lockForUpdate()->first();
    say('lock', $product->stock);
    $db->table('products')->where('id', 3)->decrement('stock', 2);
    $id = $db->table('orders')->insertGetId([
        'customer_id' => 7, 'total' => '39.98', 'placed_at' => '2024-12-24 18:00:00.5', 'attributes' => '{"gift": "🎁"}',
    ]);
    say('order', $id);
    $db->table('items')->insert(['order_id' => $id, 'position' => 1, 'product_id' => 3, 'quantity' => 2, 'price' => 19.99]);
};
$page('before');
$db->transaction($order);
$page('bought');
try {
    $db->transaction(function () use ($order) {
        $order();
        throw new RuntimeException('changed my mind');
    });
} catch (RuntimeException $error) {
    say('rolled back', $error->getMessage());
}
$page('returned');
// A savepoint for each nested transaction.
$db->transaction(function () use ($db) {
    $db->table('imports')->insert(['id' => 1, 'name' => 'outer']);
    try {
        $db->transaction(function () use ($db) {
            $db->table('imports')->insert(['id' => 2, 'name' => 'inner']);
            throw new RuntimeException('inner');
        });
    } catch (RuntimeException) {
    }
});
say('savepoint', $db->table('imports')->pluck('name'));
foreach (array_chunk(range(10, 4009), 1000) as $ids) {
    $rows = array_map(fn ($id) => ['id' => $id, 'name' => "name $id é", 'amount' => $id / 4], $ids);
    say('import', $db->table('imports')->insert($rows));
    say('upsert', $db->table('imports')->upsert($rows, ['id'], ['name']));
}
say('imported', $db->table('imports')->selectRaw('count(*) as n, sum(amount) as amount')->first());
$chunks = [];
$db->table('imports')->orderBy('id')->chunk(1500, function ($rows) use (&$chunks) {
    $chunks[] = [count($rows), $rows->first()->id, $rows->last()->id];
});
say('chunks', $chunks);
foreach ($statements['errors'] as $text) {
    try {
        $db->select($text);
        say('error', 'none');
    } catch (Illuminate\Database\QueryException $error) {
        say('error', [$error->errorInfo, $error->getMessage()]);
    }
}
$sum = new Sum();
foreach ($db->cursor(statement('million') . ' LIMIT 100000') as $row) {
    $sum->add([$row->n, $row->text]);
}
say('many', $sum->total());
