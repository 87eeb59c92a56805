//! The answers about countries: attempts and different sources, for everything, some services or some sources.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::AnswerError;
use super::answer::{Completeness, CountriesAnswer, CountryRow};
use super::history::History;
use super::question::Question;
use super::walk::{Reasons, Span, is_about_services, matches, walk, walk_joined, walk_measured};
use crate::event::{Address, Class, Service};
use crate::stats::countries::{Atlas, Country, KeptCountries};
use crate::stats::kept::{Kept, KeptService, Unique};
use crate::stats::range::Range;
use crate::stats::sample::{MOST_ASKED, Sample};

pub const NO_DATABASE: &str = "no country database";

/// Whether the parts of a range were measured.
#[derive(Default)]
pub struct Measured {
    /// Days with attempts whose countries nobody looked up.
    pub days_without: u32,
    pub days_with: u32,
    /// Attempts of sources that full tables no longer knew.
    unplaced: u64,
}

impl Measured {
    /// False if nothing of this part was measured.
    pub fn note(&mut self, kept: &Kept, days: u32) -> bool {
        let countries = &kept.countries;
        if kept.attempts > 0 && countries.measured == 0 {
            self.days_without += days;
            return false;
        }
        self.days_with += days;
        self.unplaced = self.unplaced.saturating_add(kept.attempts.saturating_sub(countries.measured));
        true
    }

    /// An error if nothing was measured, else what is missing.
    pub fn explain(&self, class: Class, installed: bool, reasons: &mut Reasons) -> Result<(), AnswerError> {
        match self {
            Measured { days_with: 0, .. } if installed && !class.has_countries() => {
                return Err(AnswerError::NotFound(
                    "countries are looked up of attempts and failed logins only".into(),
                ));
            }
            Measured { days_with: 0, .. } if !installed => {
                return Err(AnswerError::NotFound(NO_DATABASE.into()));
            }
            Measured { days_with: 0, days_without: 1.., .. } => {
                return Err(AnswerError::NotFound(
                    "the countries of these days were not measured: there was no country database when they ended".into(),
                ));
            }
            Measured { days_without: 0, .. } => {}
            Measured { days_without, .. } => reasons.add(format!(
                "{days_without} days are left out: there was no country database when they ended"
            )),
        }
        if self.unplaced > 0 {
            reasons
                .add(format!("the countries of {} attempts are not known: too many sources", self.unplaced));
        }
        Ok(())
    }
}

#[derive(Default)]
struct Sum {
    attempts: u64,
    unique: Option<Unique>,
    parts: u32,
}

/// What a range comes to.
#[derive(Default)]
struct Sums {
    rows: BTreeMap<Country, Sum>,
    parts: u32,
    floor: u64,
    /// Of the sources that are asked about, if all parts can tell.
    sample: Option<Sample>,
    /// Attempts at services of which the samples do not know who tried them.
    left_out: u64,
}

impl Sums {
    fn add(&mut self, question: &Question, countries: &KeptCountries) {
        self.parts += 1;
        let mut add = |country, attempts: u64, unique| {
            let sum = self.rows.entry(country).or_default();
            sum.attempts = sum.attempts.saturating_add(attempts);
            sum.unique = Some(unique);
            sum.parts += 1;
        };
        if !is_about_services(question) {
            countries.rows.iter().for_each(|row| add(row.country, row.attempts, row.unique));
            self.floor = self.floor.saturating_add(countries.floor);
            return;
        }
        self.floor = self.floor.saturating_add(countries.service_floor);
        // The different sources of several services cannot be added: some may have tried both.
        let mut of_part: BTreeMap<Country, (u64, Unique)> = BTreeMap::new();
        for row in countries.services.iter().filter(|row| matches(question, row.service)) {
            let known = of_part.entry(row.country).and_modify(|known| known.1 = Unique::Unknown);
            let (attempts, _) = known.or_insert((0, row.unique));
            *attempts = attempts.saturating_add(row.attempts);
        }
        of_part.into_iter().for_each(|(country, (attempts, unique))| add(country, attempts, unique));
    }

    /// Joins the samples of the range's parts. Parts that were not measured are left out here as of the attempts.
    fn join_samples(&mut self, question: &Question, history: &mut dyn History, span: &Span) {
        let (mut joined, mut all) = (Sample::default(), true);
        walk_joined(history, span, true, &mut |piece| {
            let kept = piece.class(question.class);
            match &kept.countries.sample {
                _ if kept.countries.measured == 0 => {}
                None => all = false,
                Some(sample) if is_about_services(question) => {
                    let sampled = sample.who_tried(|service| matches(question, service));
                    joined.join_sources(&sampled, MOST_ASKED);
                    self.left_out = self.left_out.saturating_add(left_out(question, kept, sample));
                }
                Some(sample) => joined.join_sources(sample, MOST_ASKED),
            }
        });
        self.sample = all.then_some(joined);
    }

    /// Different sources of a country, and what that can be wrong by where it was estimated. Nothing where that is as
    /// much as the number.
    fn unique(&self, country: Country, sum: &Sum) -> (Option<u64>, Option<u64>) {
        let alone = self.parts == 1 || sum.parts == 1 && self.floor == 0;
        match (sum.unique.and_then(Unique::number), &self.sample) {
            (Some(number), _) if alone => (Some(number), None),
            (_, Some(sample)) => {
                let (estimate, error) = sample.estimate(country);
                // Never more than the attempts, though these can be too low.
                let number = estimate.min(sum.attempts);
                let error = error.saturating_add(self.left_out).saturating_add(estimate - number);
                if number == 0 || error >= number {
                    return (None, None);
                }
                (Some(number), (error > 0).then_some(error))
            }
            _ => (None, None),
        }
    }
}

/// The most attempts at services that are asked about of which the sample does not know who tried them.
fn left_out(question: &Question, kept: &Kept, sample: &Sample) -> u64 {
    let asked = || kept.services.iter().filter(|row| matches(question, row.service));
    let add = |sum: u64, row: &KeptService| sum.saturating_add(row.attempts);
    let unknown = asked().filter(|row| !sample.knows(row.service)).fold(0, add);
    // Services without a row: of each protocol one, or any number if no port is asked for.
    let without_row = kept.protocols.iter().filter(|(protocol, _)| {
        let asked_for = question.protocol.is_none_or(|asked| asked == *protocol);
        let has_row = question.port.is_some() && asked().any(|row| row.service.protocol == *protocol);
        asked_for && !has_row && (question.port.is_none() || Service::has_ports(*protocol))
    });
    without_row.fold(unknown, |sum, (protocol, attempts)| {
        let with_rows = kept.services.iter().filter(|row| row.service.protocol == *protocol);
        let rest = attempts.saturating_sub(with_rows.fold(0, add));
        let most = if question.port.is_some() { kept.service_floor } else { u64::MAX };
        sum.saturating_add(rest.min(most))
    })
}

pub fn countries(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    atlas: Option<&mut (dyn Atlas + '_)>,
) -> Result<CountriesAnswer, AnswerError> {
    if question.source.is_some() {
        let atlas = atlas.ok_or(AnswerError::NotFound(NO_DATABASE.into()))?;
        return of_sources(question, history, span, atlas);
    }
    let mut reasons = Reasons::default();
    let mut measured = Measured::default();
    let mut sums = Sums::default();
    walk_measured(history, span, question.class, &mut reasons, &mut |piece| {
        let kept = piece.class(question.class);
        if measured.note(kept, piece.days()) && kept.attempts > 0 {
            sums.add(question, &kept.countries);
        }
    });
    measured.explain(question.class, atlas.is_some(), &mut reasons)?;
    if sums.parts > 1 || span.from != span.to {
        sums.join_samples(question, history, span);
    }
    let rows = sums.rows.iter().map(|(country, sum)| {
        let (unique_sources, unique_sources_error) = sums.unique(*country, sum);
        (*country, sum.attempts, unique_sources, unique_sources_error)
    });
    let (rows, cut) = listed(question, rows.collect());
    let least =
        if cut { rows.last().map_or(0, |row| row.attempts).saturating_add(1) } else { question.min.max(1) };
    if sums.floor >= least && question.country.is_none() {
        reasons.add(format!("countries with up to {} attempts can be missing or too low", sums.floor));
    } else if sums.floor > 0 && sums.parts > 1 {
        reasons.add(format!("the attempts of a country can be up to {} too low", sums.floor));
    }
    Ok(CountriesAnswer { countries: rows, completeness: Completeness::from_reasons(&reasons.0) })
}

/// The rows that are asked for, most attempts first, and whether there are more.
fn listed(
    question: &Question,
    mut rows: Vec<(Country, u64, Option<u64>, Option<u64>)>,
) -> (Vec<CountryRow>, bool) {
    rows.retain(|(country, attempts, ..)| {
        question.country.is_none_or(|asked| asked == country.0) && *attempts >= question.min.max(1)
    });
    rows.sort_unstable_by_key(|(country, attempts, ..)| (Reverse(*attempts), *country));
    let cut = rows.len() >= question.limit as usize;
    rows.truncate(question.limit as usize);
    let row = |(country, attempts, unique_sources, unique_sources_error): (Country, _, _, _)| CountryRow {
        country: country.to_string(),
        attempts,
        unique_sources,
        unique_sources_error,
    };
    (rows.into_iter().map(row).collect(), cut)
}

/// The countries of the sources within a prefix, looked up now.
fn of_sources(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    atlas: &mut dyn Atlas,
) -> Result<CountriesAnswer, AnswerError> {
    let mut reasons = Reasons::default();
    let mut range = Range::new();
    let by_service = is_about_services(question);
    walk(history, span, &mut reasons, &mut |piece| {
        let kept = piece.class(question.class);
        if by_service { range.add_pairs(kept) } else { range.add_sources(kept) }
    });
    let wanted = |address: Address| question.source.is_some_and(|prefix| prefix.contains(address));
    let mut sources: BTreeMap<Address, u64> = BTreeMap::new();
    let floor = if by_service {
        for (sum, _) in range.pairs() {
            if wanted(sum.key.address) && matches(question, Service::from_bits(sum.key.service)) {
                *sources.entry(sum.key.address).or_default() += sum.count;
            }
        }
        range.pair_floor()
    } else {
        sources.extend(
            range.sources().iter().filter(|(sum, _)| wanted(sum.key)).map(|(sum, _)| (sum.key, sum.count)),
        );
        range.source_floor()
    };
    let mut sums: BTreeMap<Country, (u64, u64)> = BTreeMap::new();
    for (address, attempts) in sources {
        let sum = sums.entry(atlas.country_of(address).unwrap_or(Country::UNKNOWN)).or_default();
        *sum = (sum.0.saturating_add(attempts), sum.1 + 1);
    }
    if floor > 0 {
        reasons.add(format!("sources with up to {floor} attempts can be missing"));
    }
    let rows = sums
        .into_iter()
        .map(|(country, (attempts, sources))| (country, attempts, (floor == 0).then_some(sources), None));
    let (countries, _) = listed(question, rows.collect());
    Ok(CountriesAnswer { countries, completeness: Completeness::from_reasons(&reasons.0) })
}
