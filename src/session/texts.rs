//! What the text protocol's PREPARE prepared, by name: an EXECUTE does what that text does. What is not known by name (a text
//! from a variable, a name that a procedure may have given to another text) is not here, and may do anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::plan::{Job, Request};
use super::{Environment, Session};
use crate::sql::{
    Classified, Effects, PrimaryCause, Shape, StatementKind, executed_name, immediate_text, prepared_text,
};

/// At most so many are known; more may do anything.
const MAX_TEXTS: usize = 256;

/// Statements by their names, which are lower case.
#[derive(Debug, Default)]
pub(super) struct TextStatements {
    by_name: BTreeMap<Box<[u8]>, Classified>,
}

impl Session {
    /// The statement that a PREPARE with a literal text prepares.
    pub(super) fn prepares(
        &mut self,
        text: &[u8],
        outer: &Classified,
        environment: &Environment<'_>,
    ) -> Option<Box<(Box<[u8]>, Classified)>> {
        if !outer.shape.effects.contains(Effects::PREPARES) || outer.shape.effects.contains(Effects::OPAQUE) {
            return None;
        }
        let (name, inner) = prepared_text(text, self.context)?;
        let inner = self.classify(&inner, environment);
        Some(Box::new((name.into(), inner)))
    }

    /// An EXECUTE of a text that is known, as that text.
    pub(super) fn executes(
        &mut self,
        text: &[u8],
        outer: &Classified,
        environment: &Environment<'_>,
    ) -> Option<Classified> {
        if outer.shape.kind != StatementKind::Prepare {
            return None;
        }
        let inner = if outer.shape.effects.contains(Effects::PREPARES_UNNAMED) {
            let inner = immediate_text(text, self.context)?;
            &self.classify(&inner, environment)
        } else if self.texts.by_name.is_empty() {
            return None;
        } else {
            self.texts.by_name.get(&*executed_name(text, self.context)?)?
        };
        let shape = &*inner.shape;
        // Its text names a connection as the server knows it.
        if shape.kind == StatementKind::Kill {
            return None;
        }
        let mut effects = shape.effects | outer.shape.effects.without(Effects::OPAQUE);
        if shape.kind != StatementKind::Call {
            effects = effects.without(Effects::ASSIGNS_USER_VARIABLE)
                | if shape.effects.contains(Effects::ASSIGNS_USER_VARIABLE) {
                    Effects::ASSIGNS_USER_VARIABLE
                } else {
                    Effects::NONE
                };
        }
        let shape = Shape {
            kind: shape.kind,
            cause: shape.cause.or(Some(PrimaryCause::SessionFunction)),
            culprit: shape.culprit.clone(),
            effects,
            tables: shape.tables.clone(),
            fingerprint: outer.shape.fingerprint,
            normalised: shape.normalised.clone(),
        };
        Some(Classified {
            shape: Arc::new(shape),
            key: outer.key,
            hint: outer.hint.clone(),
            detail: inner.detail.clone(),
        })
    }

    /// What a reply did to them.
    pub(super) fn texts_after(&mut self, job: &Job, failed: bool) {
        let effects = job.effects();
        if effects.contains(Effects::OPAQUE) {
            // It may have prepared another text under any of the names.
            self.texts.by_name.clear();
        }
        if matches!(job.request, Request::Prepare(_)) {
            return;
        }
        match &job.prepares {
            Some(prepared) => {
                let (name, inner) = &**prepared;
                // A PREPARE that fails takes away what had its name.
                self.texts.by_name.remove(name);
                if !failed && self.texts.by_name.len() < MAX_TEXTS {
                    self.texts.by_name.insert(name.clone(), inner.clone());
                }
            }
            // It has no use any more, or has a text that nobody knows.
            None if effects.intersects(Effects::PREPARES | Effects::DEALLOCATES) => match super::effects::taken_by(job)
            {
                Some(name) => _ = self.texts.by_name.remove(name),
                None => self.texts.by_name.clear(),
            },
            None => {}
        }
    }
}
