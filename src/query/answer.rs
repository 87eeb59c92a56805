//! The answers: one struct for each question. ubus, `--json` and the tables render these same structs.
//!
//! A key that was not measured is absent (`None`), never 0. Dates are local, instants RFC 3339 text.

mod status;

use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::event::small_map::SmallMap;
use crate::query::record::{Field, Record};
use crate::record;

pub use status::*;

/// Text that is usually part of the program, and then not copied to each row.
pub type Known = std::borrow::Cow<'static, str>;

/// Defines [`Topic`], [`Answer`] and the methods of all variants.
macro_rules! topics {
    ($($(#[$attribute:meta])* $topic:ident($answer:ident) = $name:literal),+ $(,)?) => {
        /// The topic of a question: the table that answers it.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub enum Topic {
            $($(#[$attribute])* $topic),+
        }

        impl Topic {
            /// Every topic with its name as ubus method and as command.
            pub const ALL: &[(Topic, &str)] = &[$((Topic::$topic, $name)),+];
        }

        /// An answer; the variant is that of the question's topic.
        #[derive(Clone, Debug)]
        pub enum Answer {
            $($topic($answer)),+
        }

        impl Answer {
            fn parts(&self) -> (Topic, &dyn Record, &Completeness) {
                match self {
                    $(Answer::$topic(answer) => (Topic::$topic, answer, &answer.completeness)),+
                }
            }

            /// Whether it is complete, to be changed.
            pub fn completeness_mut(&mut self) -> &mut Completeness {
                match self {
                    $(Answer::$topic(answer) => &mut answer.completeness),+
                }
            }
        }
    };
}

topics!(
    #[default]
    Summary(SummaryAnswer) = "summary",
    Services(ServicesAnswer) = "services",
    Sources(SourcesAnswer) = "sources",
    Source(SourceAnswer) = "source",
    Hours(HoursAnswer) = "hours",
    Days(DaysAnswer) = "days",
    Months(MonthsAnswer) = "months",
    Countries(CountriesAnswer) = "countries",
    Rules(RulesAnswer) = "rules",
    Asns(AsnsAnswer) = "asns",
    Anomalies(AnomaliesAnswer) = "anomalies",
    Recent(RecentAnswer) = "recent",
    Blocks(BlocksAnswer) = "blocks",
    Status(StatusAnswer) = "status",
);

impl Topic {
    /// Its name as ubus method and as command.
    pub fn name(self) -> &'static str {
        Topic::ALL[self as usize].1
    }

    /// The topic of a name.
    pub fn from_name(name: &str) -> Option<Topic> {
        Topic::ALL.iter().find(|(_, known)| *known == name).map(|(topic, _)| *topic)
    }
}

impl Answer {
    /// The topic of its question.
    pub fn topic(&self) -> Topic {
        self.parts().0
    }

    /// Whether it is complete.
    pub fn completeness(&self) -> &Completeness {
        self.parts().2
    }
}

impl Record for Answer {
    fn each(&self, visit: &mut dyn FnMut(&str, &dyn Field)) {
        self.parts().1.each(visit);
    }
}

record! {
    /// Part of every answer: whether it is complete, and if not, why.
    pub struct Completeness {
        pub complete: bool,
        pub incomplete_because: Option<String>,
    }
}

/// Events by class, in the order of [`Class::ALL`].
#[derive(Clone, Debug, Default)]
pub struct ClassCounts(pub [u64; Class::COUNT]);

impl ClassCounts {
    /// The name and events of each class.
    pub fn by_name(&self) -> [(&'static str, u64); Class::COUNT] {
        Class::ALL.map(|class| (class.name(), self.0[class as usize]))
    }
}

impl Record for ClassCounts {
    fn each(&self, visit: &mut dyn FnMut(&str, &dyn Field)) {
        self.by_name().iter().for_each(|(name, events)| visit(name, events));
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
    /// The answer to `summary`.
    pub struct SummaryAnswer {
        /// The first day of the range; absent without any data.
        pub from: Option<Date>,
        pub to: Option<Date>,
        pub timezone: String,
        /// Days with data within the range.
        pub days: u32,
        /// Events of the asked class (default: attempts).
        pub attempts: u64,
        pub attempts_per_day: Option<f64>,
        pub unique_sources: Option<u64>,
        /// As of a [`ServiceRow`].
        pub unique_sources_error: Option<u64>,
        /// Attempts per day relative to the preceding period of the same length. If the last day is not over, only its
        /// completed hours count, in both periods.
        pub change: Option<f64>,
        /// Only the hours before this one of the last day of both periods count in `change`; absent: all count.
        pub change_until_hour: Option<u32>,
        pub classes: ClassCounts,
        /// Events of the asked class by protocol name (`tcp`, `udp`, `icmp`, `icmpv6`, ... or the number), most first.
        pub protocols: SmallMap<String, u64>,
        pub services: Vec<ServiceRow>,
        pub sources: Vec<SourceRow>,
        pub anomalies: Vec<AnomalyRow>,
        /// The anomalies of the 30 days that end with the range, highest score first.
        pub anomalies_lately: Vec<AnomalyRow> = SkipEmpty,
        /// By the hour of the day, summed over the range; absent without any data.
        pub hours: Option<Vec<HourRow>>,
        /// The preceding period of the same length; absent if it is not stored completely.
        pub before: Option<PeriodBefore>,
        /// The median of the attempts per day of the 28 days before the range; absent if fewer than 7 are stored.
        pub usual_per_day: Option<f64>,
        /// Absent without a guard (offline).
        pub blocks: Option<BlockCounts>,
        /// Absent offline.
        pub guard: Option<GuardStatus>,
        /// Absent offline, and if the firewall's configuration cannot be read.
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

    /// The preceding period of the same length.
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
        /// The service's name; absent if it has none.
        pub name: Option<Known>,
        /// What an attack on it usually wants.
        pub wants: Option<Known>,
        pub attempts: u64,
        pub unique_sources: Option<u64>,
        /// Two standard errors of `unique_sources`, if it is estimated.
        pub unique_sources_error: Option<u64>,
        /// The most that `attempts` can be too high.
        pub error: u64,
        /// Attempts on each of the answer's `dates`; absent without `daily`.
        pub daily: Option<Vec<u64>>,
    }

    /// Advice about a known port.
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
        /// About the port of the question; absent without a port or advice.
        pub advice: Option<Vec<AdviceRow>>,
        /// The stored days of the range, ascending; absent without `daily`.
        pub dates: Option<Vec<Date>>,
        pub completeness: Completeness = Flatten,
    }

    /// A source with its attempts.
    pub struct SourceRow {
        pub address: String,
        pub attempts: u64,
        /// The most that `attempts` can be too high.
        pub error: u64,
        /// Different services tried.
        pub services: Option<u64>,
        /// RFC 3339, or only the date if the time is not known.
        pub first_seen: Option<String>,
        pub last_seen: Option<String>,
        pub country: Option<String>,
        /// The number of its autonomous system; absent if not known.
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
        /// The name of its autonomous system in the database: untrusted text of at most 96 bytes.
        pub as_name: Option<String>,
        pub hours: Vec<HourRow>,
        pub top_services: Vec<ServiceRow>,
        /// About the service that the source tried most.
        pub advice: Option<Vec<AdviceRow>>,
        pub days: Vec<DayRow>,
        /// Raw log lines; absent offline.
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
        /// Days with data.
        pub days: u32,
        pub attempts: u64,
        pub attempts_per_day: f64,
        /// Attempts per day relative to the same month of the year before.
        pub year_over_year: Option<f64>,
        /// Number of anomalies; absent if the month's days are not stored.
        pub anomalous: Option<u64>,
        /// Attempts per day without those of anomalies, whose days still count.
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
        /// Two letters (ISO 3166-1); `ZZ` for addresses that are not in the database.
        pub country: String,
        pub attempts: u64,
        pub unique_sources: Option<u64>,
        /// Two standard errors of `unique_sources`, if it is estimated.
        pub unique_sources_error: Option<u64>,
    }

    /// The answer to `countries`.
    pub struct CountriesAnswer {
        pub countries: Vec<CountryRow>,
        pub completeness: Completeness = Flatten,
    }

    /// An autonomous system with its attempts.
    pub struct AsnRow {
        /// Absent: sources whose addresses are not in the database.
        pub asn: Option<u32>,
        /// As of a [`SourceAnswer`].
        pub name: Option<String>,
        pub attempts: u64,
        /// Absent if not all sources of the range have rows.
        pub unique_sources: Option<u64>,
        /// Sources that have rows: only these were looked up.
        pub listed_sources: u64,
    }

    /// The answer to `asns`.
    pub struct AsnsAnswer {
        pub asns: Vec<AsnRow>,
        /// The fraction of the range's attempts that the listed sources have, 0 to 1; absent with a source in the
        /// question.
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
        /// The service's median of attempts per day.
        pub expected: f64,
        /// Deviation from the median in robust standard deviations.
        pub score: f64,
    }

    /// The answer to `anomalies`.
    pub struct AnomaliesAnswer {
        pub anomalies: Vec<AnomalyRow>,
        pub completeness: Completeness = Flatten,
    }

    /// An event with its fields as text.
    pub struct EventRow {
        /// Ascending from 1 since the daemon's start.
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
        /// The raw log line, or a line made of the packet's fields if there was none.
        pub line: String,
    }

    /// The answer to `recent`.
    pub struct RecentAnswer {
        pub events: Vec<EventRow>,
        /// For the next call, which returns the events that followed.
        pub cursor: u64,
        pub completeness: Completeness = Flatten,
    }

    /// A rule of the firewall, identified by log prefix, input interface and zone.
    pub struct RuleRow {
        /// The log prefix without the blanks at its end; for logins the daemon's name.
        pub prefix: String,
        /// The input interface; absent for packets that the router sent.
        pub interface: Option<String>,
        /// The firewall's zone: the one that the prefix names, else that of the interface. Absent if not known.
        pub zone: Option<String>,
        pub attempts: u64,
    }

    /// The attempts that a zone refused.
    pub struct ZoneRow {
        /// Absent: not known.
        pub zone: Option<String>,
        pub attempts: u64,
    }

    /// A service of an inside host to which refused attempts were addressed.
    pub struct TargetRow {
        pub address: String,
        pub protocol: Known,
        /// Absent for protocols without ports.
        pub port: Option<u16>,
        /// The service's name; absent if it has none.
        pub name: Option<Known>,
        pub attempts: u64,
        /// The most that `attempts` can be too high.
        pub error: u64,
    }

    /// The answer to `rules`.
    pub struct RulesAnswer {
        pub rules: Vec<RuleRow>,
        pub zones: Vec<ZoneRow>,
        /// Of attempts only; they are not stored for other classes.
        pub targets: Vec<TargetRow>,
        pub completeness: Completeness = Flatten,
    }
}
