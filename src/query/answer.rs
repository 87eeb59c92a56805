//! The answers: one struct for each question. ubus, `--json` and the tables render these same structs.
//!
//! A key that was not measured is absent (`None`), never 0. Dates are local, instants RFC 3339 text.

use serde::Serialize;

use crate::calendar::{Date, Month};

/// What every answer carries: whether it is complete, and if not, why not.
#[derive(Clone, Debug, Serialize)]
pub struct Completeness {
    pub complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete_because: Option<String>,
}

impl Completeness {
    pub fn from_reasons(reasons: &[String]) -> Completeness {
        Completeness {
            complete: reasons.is_empty(),
            incomplete_because: (!reasons.is_empty()).then(|| reasons.join("; ")),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct ClassCounts {
    pub attempt: u64,
    pub backscatter: u64,
    pub noise: u64,
    pub egress: u64,
    pub login: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct SummaryAnswer {
    /// Absent when there is no data at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    pub timezone: String,
    /// Days with observation within the range.
    pub days: u32,
    /// Events of the asked class (default: attempts).
    pub attempts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_per_day: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_sources: Option<u64>,
    /// Attempts per day against the preceding period of the same length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
    pub classes: ClassCounts,
    /// Events of the asked class by protocol name (`tcp`, `udp`, `icmp`, `icmpv6`, ... or the number), most first.
    pub protocols: std::collections::BTreeMap<String, u64>,
    pub services: Vec<ServiceRow>,
    pub sources: Vec<SourceRow>,
    pub anomalies: Vec<AnomalyRow>,
    /// Absent without a guard (offline).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<BlockCounts>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize)]
pub struct BlockCounts {
    pub active: u64,
    pub today: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct ServiceRow {
    pub protocol: String,
    /// Absent for protocols without ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The service's usual name; absent when it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub attempts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_sources: Option<u64>,
    /// The most that `attempts` can be too high.
    pub error: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct ServicesAnswer {
    pub services: Vec<ServiceRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize)]
pub struct SourceRow {
    pub address: String,
    pub attempts: u64,
    /// The most that `attempts` can be too high.
    pub error: u64,
    /// Different services tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<bool>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SourcesAnswer {
    pub sources: Vec<SourceRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize)]
pub struct SourceAnswer {
    #[serde(flatten)]
    pub row: SourceRow,
    pub hours: Vec<HourRow>,
    pub top_services: Vec<ServiceRow>,
    pub days: Vec<DayRow>,
    /// Raw log lines; absent where none are kept (offline).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize)]
pub struct DayRow {
    pub date: Date,
    pub attempts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_sources: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct DaysAnswer {
    pub days: Vec<DayRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize)]
pub struct MonthRow {
    pub month: Month,
    /// Days with observation.
    pub days: u32,
    pub attempts: u64,
    pub attempts_per_day: f64,
    /// Attempts per day against the same month of the year before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year_over_year: Option<f64>,
    /// Number of anomalous (day, service) cells; absent where days are no longer kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anomalous: Option<u64>,
    /// With the attempts of the anomalous cells left out; their days still count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_per_day_usual: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year_over_year_usual: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_sources: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct MonthsAnswer {
    pub months: Vec<MonthRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize)]
pub struct HourRow {
    /// 0..=23, local.
    pub hour: u8,
    pub attempts: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct HoursAnswer {
    pub hours: Vec<HourRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize)]
pub struct CountryRow {
    pub country: String,
    pub attempts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_sources: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct CountriesAnswer {
    pub countries: Vec<CountryRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize)]
pub struct AnomalyRow {
    pub date: Date,
    pub protocol: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub attempts: u64,
    /// What the service usually has a day.
    pub expected: f64,
    /// Deviations from the usual, in robust standard deviations.
    pub score: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct AnomaliesAnswer {
    pub anomalies: Vec<AnomalyRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize)]
pub struct EventRow {
    pub time: String,
    pub class: &'static str,
    pub verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    pub source: String,
    pub destination: String,
    pub protocol: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    pub length: u16,
    /// TCP flags by name, such as `SYN`; absent for other protocols.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// The raw log line, or a line made of the packet's fields where there was none.
    pub line: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct RecentAnswer {
    pub events: Vec<EventRow>,
    /// Give it with the next question for what came since.
    pub cursor: u64,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize)]
pub struct BlockRow {
    pub address: String,
    pub since: String,
    pub expires: String,
    pub reason: String,
    pub rule: String,
    pub count: u64,
    pub window: String,
    pub evidence: Vec<String>,
    pub times: u32,
}

#[derive(Clone, Debug, Serialize)]
pub struct BlocksAnswer {
    pub blocks: Vec<BlockRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

/// What became of the lines of an import or report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InputCounts {
    /// lines = events + malformed + duplicates + skipped
    pub lines: u64,
    pub events: u64,
    pub malformed: u64,
    pub duplicates: u64,
    /// Lines that are no refused packet and no failed login.
    pub skipped: u64,
}
