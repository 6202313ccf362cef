//! Statement text: tokens, fingerprint, classification, and a bounded cache of shapes. No I/O.
//!
//! What cannot be proven a read is not one: there is no error here, only [`PrimaryCause`]s.

mod shape;

pub use shape::{
    Assignment, Charset, Classified, Detail, Effects, Fingerprint, Hint, KillTarget, PrimaryCause, Scope, Shape,
    SqlMode, StatementKind, TableName, Value,
};
