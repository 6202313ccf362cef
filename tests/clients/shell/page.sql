SELECT 'before' AS phase, o.id, o.customer_id, o.total, o.placed_at, o.paid_on, o.attributes, o.note FROM orders o WHERE o.customer_id = 7 ORDER BY o.id DESC LIMIT 20;
SELECT 'before' AS phase, COUNT(*) AS orders, SUM(total) AS total FROM orders WHERE customer_id = 7;
SELECT 'before' AS phase, orders.* FROM orders WHERE id = 107;
SELECT 'before' AS phase, orders.* FROM orders WHERE id = 4000000;
SELECT 'before' AS phase, o.id, c.name, c.note, i.quantity, p.sku, p.price, p.weight, p.picture FROM orders o JOIN customers c ON c.id = o.customer_id JOIN items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id WHERE o.customer_id = 7 ORDER BY o.id DESC, i.position LIMIT 12;
