//! What classifying costs: a known shape (budget 1 us for 200 bytes) and one seen first (budget 100 us).

#![allow(missing_docs, reason = "criterion's macros generate undocumented items")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pointsman::sql::{Classifier, SqlContext};

fn statements() -> Vec<(&'static str, String)> {
    let rows = vec!["(1, 'some text', NULL, NOW(), 3.5)"; 200].join(", ");
    let list = vec!["12345"; 1000].join(",");
    vec![
        ("point", "SELECT c FROM sbtest1 WHERE id=5042".into()),
        (
            "laravel_200",
            "select `orders`.`id`, `orders`.`status`, `orders`.`total` from `orders` where `orders`.`user_id` = 12345 \
             and `status` in ('open', 'paid', 'sent') and `orders`.`deleted_at` is null order by `created_at` desc limit 15"
                .into(),
        ),
        (
            "django_326",
            "SELECT `auth_user`.`id`, `auth_user`.`password`, `auth_user`.`last_login`, `auth_user`.`is_superuser`, \
             `auth_user`.`username`, `auth_user`.`first_name`, `auth_user`.`last_name`, `auth_user`.`email`, \
             `auth_user`.`is_staff`, `auth_user`.`is_active`, `auth_user`.`date_joined` FROM `auth_user` WHERE \
             `auth_user`.`username` = 'someone' LIMIT 21"
                .into(),
        ),
        ("set_names", "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_unicode_ci', SESSION sql_mode='STRICT_TRANS_TABLES'".into()),
        ("update", "UPDATE `orders` SET `status` = 'paid', `updated_at` = '2026-01-01 00:00:00' WHERE `id` = 42".into()),
        ("insert_200_rows", format!("INSERT INTO t (a, b, c, d, e) VALUES {rows}")),
        ("in_1000", format!("SELECT * FROM t WHERE a IN ({list})")),
    ]
}

fn classify(criterion: &mut Criterion) {
    let context = SqlContext::default();
    let mut group = criterion.benchmark_group("cached");
    for (name, sql) in statements() {
        let classifier = Classifier::new(1024, [1, 2], &[]);
        let mut scratch = Vec::new();
        classifier.classify(sql.as_bytes(), context, &mut scratch);
        group.throughput(Throughput::Bytes(sql.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| classifier.classify(black_box(sql.as_bytes()), context, &mut scratch));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("first_sight");
    for (name, sql) in statements() {
        let mut scratch = Vec::new();
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || Classifier::new(16, [1, 2], &[]),
                |classifier| classifier.classify(black_box(sql.as_bytes()), context, &mut scratch),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, classify);
criterion_main!(benches);
