//! The answer to `asns`: attempts by autonomous system.
//!
//! The store has no AS numbers: the sources that have rows are looked up for each answer, which says what fraction of
//! the attempts they have.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::rc::Rc;

use super::answer::{AsnRow, AsnsAnswer};
use super::history::{MonthData, Need};
use super::lists::SourceList;
use super::periods::{attempts_of, section_of};
use super::question::Question;
use super::scan::{Collect, Context, Reasons, Span, rounded};
use super::{Answer, AnswerError, Problem};
use crate::event::Address;

/// An autonomous system (RFC 1930).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    /// The AS number (RFC 6793: 32 bits).
    pub number: u32,
    /// One line of at most 96 bytes, or empty. Untrusted text of the database: it may contain markup.
    pub name: String,
}

/// A database of autonomous systems.
pub trait NetworkLookup {
    /// Whether it can answer now. To be called before addresses are looked up.
    fn is_ready(&mut self) -> bool;

    /// The record of an address; many addresses have the same one. `None` if the address is not in the database.
    /// Ascending addresses are looked up fastest.
    fn record_of(&mut self, address: Address) -> Option<u32>;

    fn network_at(&mut self, record: u32) -> Option<Network>;
}

/// A database that several components share.
pub type SharedNetworks = Rc<RefCell<dyn NetworkLookup>>;

/// Collects the answer to `asns`.
pub(super) struct AsnList {
    list: SourceList,
    /// Attempts of the range, of sources with and without rows.
    attempts: u64,
}

impl AsnList {
    /// Adds what it needs to `need`.
    pub(super) fn new(question: &Question, need: &mut Need) -> AsnList {
        need.add(section_of(question).as_slice(), Span::of(question));
        AsnList { list: SourceList::new(question, need), attempts: 0 }
    }
}

impl Collect for AsnList {
    fn add(&mut self, question: &Question, data: &MonthData, reasons: &mut Reasons) {
        self.list.add(question, data, reasons);
        Span::of(question).pieces(data, reasons, |summary, _| {
            self.attempts = self.attempts.saturating_add(attempts_of(question, summary).unwrap_or(0));
        });
    }

    fn finish(self: Box<Self>, context: &mut Context<'_>) -> Result<Answer, AnswerError> {
        let Context { question, reasons, .. } = context;
        let Some(networks) = context.networks.as_deref_mut() else {
            return Err((Problem::NotFound, "no AS database".into()));
        };
        let (floor, total) = (self.list.floor(), self.attempts);
        let mut sources: Vec<(Option<u32>, u64)> = Vec::new();
        self.list.each_by_address(&mut |sum| {
            sources.push((networks.record_of(sum.key), sum.attempts.saturating_sub(sum.error)));
        });
        let listed = sources.iter().map(|(_, attempts)| *attempts).fold(0, u64::saturating_add);
        // Each record is read once, in the order of the file.
        sources.sort_unstable();
        let mut found: Vec<(Option<u32>, Option<u32>, u64)> = Vec::new();
        for same in sources.chunk_by(|a, b| a.0 == b.0) {
            let number = same[0].0.and_then(|record| networks.network_at(record)).map(|known| known.number);
            found.extend(same.iter().map(|(record, attempts)| (number, *record, *attempts)));
        }
        found.sort_unstable();
        let of_number = |same: &[(Option<u32>, Option<u32>, u64)]| {
            let ((asn, record, _), listed_sources) = (same[0], same.len() as u64);
            let attempts = same.iter().fold(0, |sum: u64, (.., attempts)| sum.saturating_add(*attempts));
            let unique_sources = (floor == 0).then_some(listed_sources);
            (record, AsnRow { asn, name: None, attempts, unique_sources, listed_sources })
        };
        let mut rows: Vec<_> = found.chunk_by(|a, b| a.0 == b.0).map(of_number).collect();
        rows.retain(|(_, row)| row.attempts >= question.min.max(1));
        rows.sort_unstable_by_key(|(_, row)| (Reverse(row.attempts), row.asn));
        rows.truncate(question.limit as usize);
        for (record, row) in &mut rows {
            let network = row.asn.and(*record).and_then(|record| networks.network_at(record));
            row.name = network.map(|network| network.name).filter(|name| !name.is_empty());
        }
        let asns = rows.into_iter().map(|(_, row)| row).collect();
        // With a filter of sources the total is not known.
        let covers =
            (question.source.is_none() && total > 0).then(|| (listed as f64 / total as f64).min(1.0));
        if covers.is_some() && listed < total {
            let rest = total - listed;
            reasons.add(format!("the networks of {rest} attempts are not known: their sources have no row"));
        } else if floor > 0 {
            reasons.add(format!("sources with up to {floor} attempts can be missing"));
        }
        Ok(Answer::Asns(AsnsAnswer { asns, covers: covers.map(rounded), ..AsnsAnswer::default() }))
    }
}

/// The network of a source, if there is a database.
pub(super) fn network_of(context: &mut Context<'_>, address: Address) -> Option<Network> {
    let networks = context.networks.as_deref_mut()?;
    networks.record_of(address).and_then(|record| networks.network_at(record))
}
