//! The answers: one struct for each question. ubus, `--json` and the tables render these same structs.
//!
//! A key that was not measured is absent (`None`), never 0. Dates are local, instants RFC 3339 text.

mod blocks;
mod rules;
mod status;

use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::event::small_map::SmallMap;
use crate::query::short::{AddressText, CountryText, InstantText};
use crate::record;

pub use blocks::*;
pub use rules::*;
pub use status::*;

/// Text of a table of ours: in an answer of a thousand rows none of it is copied.
pub type Known = std::borrow::Cow<'static, str>;

record! {
    /// What every answer carries: whether it is complete, and if not, why not.
    pub struct Completeness {
        pub complete: bool,
        pub incomplete_because: Option<String>,
    }
}

impl ClassCounts {
    /// Each class's name with its events.
    pub fn by_name(&self) -> [(&'static str, u64); Class::COUNT] {
        let ClassCounts { attempt, backscatter, noise, egress, login } = *self;
        let counts = [attempt, backscatter, noise, egress, login];
        Class::ALL.map(|class| (class.name(), counts[class as usize]))
    }
}

impl Completeness {
    /// Makes it incomplete, or adds to the reasons.
    pub fn add_reason(&mut self, reason: String) {
        self.complete = false;
        self.incomplete_because = Some(match self.incomplete_because.take() {
            Some(before) => format!("{before}; {reason}"),
            None => reason,
        });
    }

    /// Complete if there is no reason.
    pub fn from_reasons(reasons: &[String]) -> Completeness {
        let complete = reasons.is_empty();
        Completeness { complete, incomplete_because: (!complete).then(|| reasons.join("; ")) }
    }
}

record! {
    /// Events by class.
    pub struct ClassCounts {
        pub attempt: u64,
        pub backscatter: u64,
        pub noise: u64,
        pub egress: u64,
        pub login: u64,
    }

    /// The answer to `summary`.
    pub struct SummaryAnswer {
        /// Absent when there is no data at all.
        pub from: Option<Date>,
        pub to: Option<Date>,
        pub timezone: String,
        /// Days with observation within the range.
        pub days: u32,
        /// Events of the asked class (default: attempts).
        pub attempts: u64,
        pub attempts_per_day: Option<f64>,
        pub unique_sources: Option<u64>,
        /// As of a [`ServiceRow`].
        pub unique_sources_error: Option<u64>,
        /// Attempts per day against the preceding period of the same length. Where the last day is not over, only the hours
        /// that are over count, in both periods.
        pub change: Option<f64>,
        /// Of the last day of both periods, the hours before this one are in `change`; absent where all are.
        pub change_until_hour: Option<u32>,
        pub classes: ClassCounts,
        /// Events of the asked class by protocol name (`tcp`, `udp`, `icmp`, `icmpv6`, ... or the number), most first.
        pub protocols: SmallMap<String, u64>,
        pub services: Vec<ServiceRow>,
        pub sources: Vec<SourceRow>,
        pub anomalies: Vec<AnomalyRow>,
        /// The anomalies of the 30 days that end with the range, highest score first.
        pub anomalies_lately: Vec<AnomalyRow> = SkipEmpty,
        /// By the hour of the day, summed over the range; absent when there is no data at all.
        pub hours: Option<Vec<HourRow>>,
        /// The preceding period of the same length; absent where it is not kept whole.
        pub before: Option<PeriodBefore>,
        /// The median of the attempts a day of the 28 days before the range; absent where fewer than 7 are kept.
        pub usual_per_day: Option<f64>,
        /// Absent without a guard (offline).
        pub blocks: Option<BlockCounts>,
        /// Absent offline.
        pub guard: Option<GuardStatus>,
        /// Absent offline, and where the firewall's configuration cannot be read.
        pub exposure: Option<Exposure>,
        /// The router's time; absent offline and while the clock is not set.
        pub now: Option<String>,
        /// Conditions that need attention, a sentence each, as in `status`; absent offline.
        pub warnings: Option<Vec<String>>,
        pub completeness: Completeness = Flatten,
    }

    /// Attacked ports that this router opens to everybody outside.
    pub struct Exposure {
        /// Attempts are counted from this day on: the first of the month.
        pub since: Date,
        /// Most attempts first; as many as the question's `limit`.
        pub ports: Vec<ExposureRow>,
    }

    /// An open port of the router with its attempts.
    pub struct ExposureRow {
        pub protocol: Known,
        pub port: u16,
        pub name: Option<Known>,
        /// What opens it: a rule, a redirect or the zone's policy.
        pub by: String,
        pub attempts: u64,
        pub unique_sources: Option<u64>,
        /// As of a [`ServiceRow`].
        pub unique_sources_error: Option<u64>,
    }

    /// The period before the one that was asked for.
    pub struct PeriodBefore {
        pub from: Date,
        pub to: Date,
        pub attempts: u64,
        pub unique_sources: Option<u64>,
        pub hours: Vec<HourRow>,
    }

    /// Numbers of blocks.
    pub struct BlockCounts {
        pub active: u64,
        pub today: u64,
    }

    /// A service with its attempts.
    pub struct ServiceRow {
        pub protocol: Known,
        /// Absent for protocols without ports.
        pub port: Option<u16>,
        /// The service's usual name; absent when it has none.
        pub name: Option<Known>,
        /// What an attack on it usually wants.
        pub wants: Option<Known>,
        pub attempts: u64,
        pub unique_sources: Option<u64>,
        /// What `unique_sources` can be wrong by (two standard errors), where it is estimated.
        pub unique_sources_error: Option<u64>,
        /// The most that `attempts` can be too high.
        pub error: u64,
        /// Attempts on each of the answer's `dates`; absent unless they were asked for.
        pub daily: Option<Vec<u64>>,
    }

    /// What an owner should know and do about a known port.
    pub struct AdviceRow {
        pub protocol: String,
        pub port: u16,
        /// In English, and in Japanese.
        pub en: String,
        pub ja: String,
        pub sources: String,
    }

    /// The answer to `services`.
    pub struct ServicesAnswer {
        pub services: Vec<ServiceRow>,
        /// About the port that was asked for; absent without one, or where nothing is known of it.
        pub advice: Option<Vec<AdviceRow>>,
        /// The days of the range that are kept, in order; absent unless `daily` was asked for.
        pub dates: Option<Vec<Date>>,
        pub completeness: Completeness = Flatten,
    }

    /// A source with its attempts.
    pub struct SourceRow {
        pub address: AddressText,
        pub attempts: u64,
        /// The most that `attempts` can be too high.
        pub error: u64,
        /// Different services tried.
        pub services: Option<u64>,
        /// An instant, or a date alone where only the day is known.
        pub first_seen: Option<InstantText>,
        pub last_seen: Option<InstantText>,
        pub country: Option<CountryText>,
        /// The number of its autonomous system; absent where it is not known.
        pub asn: Option<u32>,
        pub blocked: Option<bool>,
    }

    /// The answer to `sources`.
    pub struct SourcesAnswer {
        pub sources: Vec<SourceRow>,
        pub completeness: Completeness = Flatten,
    }

    /// The answer to `source`.
    pub struct SourceAnswer {
        pub row: SourceRow = Flatten,
        /// The name of its autonomous system in the database: hostile text of at most 96 bytes.
        pub as_name: Option<String>,
        pub hours: Vec<HourRow>,
        pub top_services: Vec<ServiceRow>,
        /// About the service that the source tried most.
        pub advice: Option<Vec<AdviceRow>>,
        pub days: Vec<DayRow>,
        /// Raw log lines; absent where none are kept (offline).
        pub evidence: Option<Vec<String>>,
        pub block: Option<Box<BlockRow>>,
        pub completeness: Completeness = Flatten,
    }

    /// The attempts of a day.
    pub struct DayRow {
        pub date: Date,
        pub attempts: u64,
        pub unique_sources: Option<u64>,
    }

    /// The answer to `days`.
    pub struct DaysAnswer {
        pub days: Vec<DayRow>,
        pub completeness: Completeness = Flatten,
    }

    /// The attempts of a month, with comparisons.
    pub struct MonthRow {
        pub month: Month,
        /// Days with observation.
        pub days: u32,
        pub attempts: u64,
        pub attempts_per_day: f64,
        /// Attempts per day against the same month of the year before.
        pub year_over_year: Option<f64>,
        /// Number of anomalous (day, service) cells; absent where days are no longer kept.
        pub anomalous: Option<u64>,
        /// With the attempts of the anomalous cells left out; their days still count.
        pub attempts_per_day_usual: Option<f64>,
        pub year_over_year_usual: Option<f64>,
        pub unique_sources: Option<u64>,
        /// As of a [`ServiceRow`].
        pub unique_sources_error: Option<u64>,
    }

    /// The answer to `months`.
    pub struct MonthsAnswer {
        pub months: Vec<MonthRow>,
        pub completeness: Completeness = Flatten,
    }

    /// The attempts of an hour of the day.
    pub struct HourRow {
        /// 0..=23, local.
        pub hour: u8,
        pub attempts: u64,
    }

    /// The answer to `hours`.
    pub struct HoursAnswer {
        pub hours: Vec<HourRow>,
        pub completeness: Completeness = Flatten,
    }

    /// A country with its attempts.
    pub struct CountryRow {
        /// Two letters (ISO 3166-1); `ZZ` for addresses that the database does not hold.
        pub country: String,
        pub attempts: u64,
        pub unique_sources: Option<u64>,
        /// What `unique_sources` can be wrong by (two standard errors), where it is estimated from a sample.
        pub unique_sources_error: Option<u64>,
    }

    /// The answer to `countries`.
    pub struct CountriesAnswer {
        pub countries: Vec<CountryRow>,
        pub completeness: Completeness = Flatten,
    }

    /// An autonomous system with its attempts.
    pub struct AsnRow {
        /// Absent: sources whose addresses the database does not hold.
        pub asn: Option<u32>,
        /// As of a [`SourceAnswer`].
        pub name: Option<String>,
        pub attempts: u64,
        /// Absent where not all sources of the range have rows.
        pub unique_sources: Option<u64>,
        /// Sources that have rows: only these were looked up.
        pub listed_sources: u64,
    }

    /// The answer to `asns`.
    pub struct AsnsAnswer {
        pub asns: Vec<AsnRow>,
        /// The part of the range's attempts that the looked up sources have, 0 to 1; absent with a source in the question.
        pub covers: Option<f64>,
        pub completeness: Completeness = Flatten,
    }

    /// A day with anomalously many attempts on a service.
    pub struct AnomalyRow {
        pub date: Date,
        pub protocol: Known,
        pub port: Option<u16>,
        pub name: Option<Known>,
        pub attempts: u64,
        /// What the service usually has a day.
        pub expected: f64,
        /// Deviations from the usual, in robust standard deviations.
        pub score: f64,
    }

    /// The answer to `anomalies`.
    pub struct AnomaliesAnswer {
        pub anomalies: Vec<AnomalyRow>,
        pub completeness: Completeness = Flatten,
    }

    /// An event with its fields as text.
    pub struct EventRow {
        /// Counts up from 1 as long as the daemon runs.
        pub id: u64,
        pub time: String,
        pub class: String,
        pub verdict: String,
        pub zone: Option<String>,
        pub source: String,
        pub destination: String,
        pub protocol: Known,
        pub source_port: Option<u16>,
        pub port: Option<u16>,
        /// Bytes of the IP packet.
        pub length: u16,
        /// TCP flags by name, such as `SYN`; absent for other protocols.
        pub flags: Option<String>,
        /// The raw log line, or a line made of the packet's fields where there was none.
        pub line: String,
    }

    /// The answer to `recent`.
    pub struct RecentAnswer {
        pub events: Vec<EventRow>,
        /// Give it with the next question for what came since.
        pub cursor: u64,
        pub completeness: Completeness = Flatten,
    }
}
