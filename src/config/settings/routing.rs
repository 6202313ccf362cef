//! Settings of where statements go.

use super::{DAY, millis, required, setting, unset};
use crate::config::schema::{Kind, Section};

pub(super) const ROUTING: Section = Section {
    name: "routing",
    list: false,
    doc: "Where reads go. Writes always go to the primary.",
    sample: "",
    settings: &[
        setting(
            "consistency",
            Kind::Consistency,
            "\"session\"",
            "How fresh a read must be. `eventual`: any replica within the lag limit. `sticky=2s`: after a write this session \
             reads the primary for that long. `session`: a session reads its own writes. `global`: every session reads \
             everyone's writes through this proxy. Until GTIDs are followed, the last two are the window \
             `routing.sticky_window` after the session's, or anyone's, last write.",
        ),
        setting(
            "sticky_window",
            millis(1, DAY),
            "\"2s\"",
            "The window that stands in for `session` and `global` where GTIDs are not followed. It should be above the usual \
             lag of the replicas; the longer it is, the more reads the primary gets.",
        ),
        setting(
            "max_lag",
            millis(1, DAY),
            "\"1s\"",
            "The lag limit of the `default` replica pool: a replica further behind gets no new reads until it has caught up.",
        ),
        setting(
            "fallback",
            Kind::Choice(&["primary", "refuse"]),
            "\"primary\"",
            "What happens to a read when no replica of the `default` pool qualifies. `primary`: it runs there. `refuse`: it \
             gets an error, for those who would rather fail reads than load the primary with all of them.",
        ),
        setting(
            "read_functions",
            Kind::Functions,
            "[]",
            "Stored functions that only read, as `name` or `schema.name`. A SELECT that calls any other stored function runs \
             on the primary. Naming one that writes sends that write to a replica, which refuses it if it is read-only: \
             set `read_only` on replicas.",
        ),
        setting(
            "shape_cache",
            Kind::Number { min: 100, max: 1_000_000 },
            "10000",
            "How many statement shapes are remembered, about 1 KiB each. Below the number of shapes the application uses, \
             statements are classified again and again.",
        ),
    ],
};

pub(super) const REPLICA_POOLS: Section = Section {
    name: "replica_pools",
    list: true,
    doc: "Replicas kept for a purpose, such as analytics. The pool `default` always exists and is set by \
          `routing.max_lag` and `routing.fallback`.",
    sample: "",
    settings: &[
        required(
            "name",
            Kind::Name,
            "\"analytics\"",
            "What `servers.pools`, rules (`pool=analytics`) and hints (`/* pointsman: pool=analytics */`) call it.",
        ),
        unset(
            "max_lag",
            millis(1, DAY),
            "`routing.max_lag`",
            "\"1m\"",
            "The lag limit of this pool. Long reports may be content with minutes.",
        ),
        unset(
            "fallback",
            Kind::Choice(&["primary", "refuse"]),
            "`routing.fallback`",
            "\"refuse\"",
            "What happens to a read when no replica of this pool qualifies. `refuse` keeps reports off the primary.",
        ),
    ],
};

pub(super) const RULES: Section = Section {
    name: "rules",
    list: true,
    doc: "Exceptions, in order. All given conditions (`user`, `schema`, `table`, `fingerprint`, `regex`) must hold; the first \
          rule that holds decides. A rule needs at least one condition and at least one of `target`, `max_lag` and \
          `consistency`. A rule never sends a write to a replica.",
    sample: "",
    settings: &[
        unset("name", Kind::Text, "`rule N`, counted from 1", "\"reports\"", "For logs and `pointsman explain`."),
        unset("user", Kind::Text, "any", "\"app\"", "Condition: the user's name."),
        unset("schema", Kind::Text, "any", "\"shop\"", "Condition: the current schema of the session."),
        unset(
            "table",
            Kind::Text,
            "any",
            "\"shop.orders\"",
            "Condition: a table that the statement names, as `table` or `schema.table`.",
        ),
        unset(
            "fingerprint",
            Kind::Fingerprint,
            "any",
            "\"0123456789abcdef0123456789abcdef\"",
            "Condition: the statement's fingerprint, for one statement that needs an exception.",
        ),
        unset(
            "regex",
            Kind::Regex,
            "any",
            "'^select .* from reports\\b'",
            "Condition: a regular expression found in the normalised text. Use single quotes, so that TOML leaves \
             backslashes alone.",
        ),
        unset(
            "target",
            Kind::Target,
            "as without the rule",
            "\"pool=analytics\"",
            "Where it goes: `primary`, `replica` (the pool `default`, whatever the consistency says) or `pool=NAME`.",
        ),
        unset("max_lag", millis(1, DAY), "that of the pool", "\"5m\"", "Another lag limit for what the rule matches."),
        unset(
            "consistency",
            Kind::Consistency,
            "that of the user",
            "\"eventual\"",
            "Another consistency for what the rule matches.",
        ),
    ],
};
