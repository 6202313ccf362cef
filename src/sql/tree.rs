//! The second opinion: what `sqlparser` makes of a statement the tokens take for a read.
//!
//! It can only add reasons against that, never take one away.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, ObjectName, Query, Select, SetExpr, Statement, TableFactor, Visit, Visitor};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;

use super::functions::{self, Function};
use super::scan::{Declared, is_server_schema};
use super::shape::{PrimaryCause, TableName};

/// More tables than this are not listed.
const MOST_TABLES: usize = 64;

/// What it found.
#[derive(Debug, Default)]
pub(super) struct Opinion {
    pub(super) cause: Option<(PrimaryCause, Box<str>)>,
    pub(super) tables: Vec<TableName>,
}

/// Parses a rendered statement, at most [`super::render::LONGEST`] long.
pub(super) fn judge(text: &str, declared: &Declared) -> Opinion {
    let against = |cause, culprit: &str| Opinion { cause: Some((cause, culprit.into())), tables: Vec::new() };
    let statements = match Parser::parse_sql(&MySqlDialect {}, text) {
        Ok(statements) => statements,
        Err(error) => {
            let message = error.to_string();
            return against(PrimaryCause::Unparsed, message.get(..160).unwrap_or(&message));
        }
    };
    let [statement @ Statement::Query(_)] = statements.as_slice() else {
        return against(PrimaryCause::NotARead, "");
    };
    let mut walk = Walk { declared, opinion: Opinion::default(), depth: 0 };
    let _: ControlFlow<()> = statement.visit(&mut walk);
    let mut opinion = walk.opinion;
    opinion.tables.dedup();
    opinion
}

struct Walk<'d> {
    declared: &'d Declared,
    opinion: Opinion,
    depth: usize,
}

impl Walk<'_> {
    fn blame(&mut self, cause: PrimaryCause, culprit: &str) {
        if self.opinion.cause.is_none() {
            self.opinion.cause = Some((cause, culprit.into()));
        }
    }

    fn function(&mut self, name: &ObjectName) {
        let parts: Vec<&str> =
            name.0.iter().filter_map(|part| part.as_ident()).map(|part| part.value.as_str()).collect();
        let full = parts.join(".");
        if self.declared.contains(full.to_lowercase().as_str()) {
            return;
        }
        let known = match parts.as_slice() {
            [name] => functions::lookup(name.as_bytes()),
            _ => None,
        };
        match known {
            Some(Function::Pure) => {}
            // The parser takes these for functions.
            Some(Function::Construct)
                if ["row", "binary", "any", "all", "some", "match", "distinct"]
                    .iter()
                    .any(|word| full.eq_ignore_ascii_case(word)) => {}
            Some(Function::Bound(cause, _)) => self.blame(cause, &full),
            Some(Function::LastInsertId) => self.blame(PrimaryCause::SessionFunction, &full),
            Some(Function::Construct) | None => self.blame(PrimaryCause::UnknownFunction, &full),
        }
    }
}

impl Visitor for Walk<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > 1 || !matches!(statement, Statement::Query(_)) {
            self.blame(PrimaryCause::NotARead, "");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if !query.locks.is_empty() {
            self.blame(PrimaryCause::LockingRead, "FOR UPDATE");
        }
        if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() {
            self.blame(PrimaryCause::Unparsed, "");
        }
        match &*query.body {
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                self.blame(PrimaryCause::NotARead, "");
            }
            SetExpr::Select(_)
            | SetExpr::Query(_)
            | SetExpr::SetOperation { .. }
            | SetExpr::Values(_)
            | SetExpr::Table(_) => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if select.into.is_some() {
            self.blame(PrimaryCause::Into, "INTO");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let mut parts = relation.0.iter().rev().filter_map(|part| part.as_ident());
        let Some(table) = parts.next() else { return ControlFlow::Continue(()) };
        let schema = parts.next().map(|schema| schema.value.to_lowercase().into_boxed_str());
        if schema.as_deref().is_some_and(|schema| is_server_schema(schema) && schema != "information_schema") {
            self.blame(PrimaryCause::ServerTable, &relation.to_string());
        }
        let name = TableName { schema, table: table.value.as_str().into() };
        if self.opinion.tables.len() < MOST_TABLES && !self.opinion.tables.contains(&name) {
            self.opinion.tables.push(name);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => self.function(name),
            TableFactor::TableFunction { .. } => self.blame(PrimaryCause::UnknownFunction, "table function"),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expression {
            self.function(&function.name);
        }
        ControlFlow::Continue(())
    }
}
