//! Statement text: tokens, fingerprint, classification, and a bounded cache of shapes. No I/O.
//!
//! What cannot be proven a read is not one: there is no error here, only [`PrimaryCause`]s.
//!
//! ```text
//! text ─► lexer ─► fingerprint ─► shapes ──hit──► Classified (+ hint, + detail read anew)
//!           │                       │ miss
//!           └─► kind, scan ─────────┴─► render ─► tree (sqlparser: can only add a cause)
//! ```

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

mod charset;
mod classify;
mod detail;
mod fingerprint;
mod functions;
mod hint;
mod identity;
mod kind;
mod lexer;
mod named;
#[cfg(test)]
mod properties;
mod render;
mod scan;
mod set;
mod shape;
mod shapes;
mod status;
#[cfg(test)]
mod tests;
mod tree;

pub use charset::{charset_class, charset_class_of_collation_id};
pub(crate) use classify::LONGEST_NORMALISED;
pub use classify::{Classifier, SqlContext};
pub(crate) use identity::{Known, with_known};
pub(crate) use named::{executed_name, immediate_text, prepared_text, user_variables};
pub use scan::is_server_schema;
pub(crate) use set::{is_set_statement, set_for_statement};
pub use shape::{
    Assignment, Charset, Classified, Detail, Effects, Fingerprint, Hint, KillTarget, KillWhom, PrimaryCause, Scope,
    Shape, ShapeKey, SqlMode, StatementKind, TableName, Value,
};
pub use status::StatusQuestion;
pub(crate) use status::status_question;
