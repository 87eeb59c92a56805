//! The answers: one struct for each question. ubus, `--json` and the tables render these same structs.
//!
//! They can be read back, so that the command line shows what the daemon answered.
//!
//! A key that was not measured is absent (`None`), never 0. Dates are local, instants RFC 3339 text.

use serde::{Deserialize, Serialize};

use crate::calendar::{Date, Month};

/// What every answer carries: whether it is complete, and if not, why not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Completeness {
    pub complete: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete_because: Option<String>,
}

impl Completeness {
    pub fn add_reason(&mut self, reason: String) {
        self.complete = false;
        self.incomplete_because = Some(match self.incomplete_because.take() {
            Some(before) => format!("{before}; {reason}"),
            None => reason,
        });
    }

    pub fn from_reasons(reasons: &[String]) -> Completeness {
        Completeness {
            complete: reasons.is_empty(),
            incomplete_because: (!reasons.is_empty()).then(|| reasons.join("; ")),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClassCounts {
    pub attempt: u64,
    pub backscatter: u64,
    pub noise: u64,
    pub egress: u64,
    pub login: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SummaryAnswer {
    /// Absent when there is no data at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    pub timezone: String,
    /// Days with observation within the range.
    pub days: u32,
    /// Events of the asked class (default: attempts).
    pub attempts: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_per_day: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_sources: Option<u64>,
    /// Attempts per day against the preceding period of the same length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
    pub classes: ClassCounts,
    /// Events of the asked class by protocol name (`tcp`, `udp`, `icmp`, `icmpv6`, ... or the number), most first.
    pub protocols: std::collections::BTreeMap<String, u64>,
    pub services: Vec<ServiceRow>,
    pub sources: Vec<SourceRow>,
    pub anomalies: Vec<AnomalyRow>,
    /// The anomalies of the 30 days that end with the range, highest score first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies_lately: Vec<AnomalyRow>,
    /// By the hour of the day, summed over the range; absent when there is no data at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Vec<HourRow>>,
    /// The preceding period of the same length; absent where it is not kept whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<PeriodBefore>,
    /// The median of the attempts a day of the 28 days before the range; absent where fewer than 7 are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_per_day: Option<f64>,
    /// Absent without a guard (offline).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<BlockCounts>,
    /// Absent offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardStatus>,
    /// Absent offline, and where the firewall's configuration cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
    /// The router's time; absent offline and while the clock is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// What somebody should look at, a sentence each, as in `status`; absent offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<String>>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

/// Attacked ports that this router opens to everybody outside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Exposure {
    /// Attempts are counted from this day on: the first of the month.
    pub since: Date,
    /// Most attempts first; as many as the question's `limit`.
    pub ports: Vec<ExposureRow>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExposureRow {
    pub protocol: String,
    pub port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What opens it: a rule, a redirect or the zone's policy.
    pub by: String,
    pub attempts: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_sources: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeriodBefore {
    pub from: Date,
    pub to: Date,
    pub attempts: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_sources: Option<u64>,
    pub hours: Vec<HourRow>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BlockCounts {
    pub active: u64,
    pub today: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceRow {
    pub protocol: String,
    /// Absent for protocols without ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The service's usual name; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What an attack on it usually wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants: Option<String>,
    pub attempts: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_sources: Option<u64>,
    /// The most that `attempts` can be too high.
    pub error: u64,
    /// Attempts on each of the answer's `dates`; absent unless they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily: Option<Vec<u64>>,
}

/// What an owner should know and do about a known port.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdviceRow {
    pub protocol: String,
    pub port: u16,
    /// In English, and in Japanese.
    pub en: String,
    pub ja: String,
    pub sources: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServicesAnswer {
    pub services: Vec<ServiceRow>,
    /// About the port that was asked for; absent without one, or where nothing is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Vec<AdviceRow>>,
    /// The days of the range that are kept, in order; absent unless `daily` was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<Vec<Date>>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceRow {
    pub address: String,
    pub attempts: u64,
    /// The most that `attempts` can be too high.
    pub error: u64,
    /// Different services tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourcesAnswer {
    pub sources: Vec<SourceRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceAnswer {
    #[serde(flatten)]
    pub row: SourceRow,
    pub hours: Vec<HourRow>,
    pub top_services: Vec<ServiceRow>,
    /// About the service that the source tried most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Vec<AdviceRow>>,
    pub days: Vec<DayRow>,
    /// Raw log lines; absent where none are kept (offline).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Box<BlockRow>>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DayRow {
    pub date: Date,
    pub attempts: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_sources: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DaysAnswer {
    pub days: Vec<DayRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MonthRow {
    pub month: Month,
    /// Days with observation.
    pub days: u32,
    pub attempts: u64,
    pub attempts_per_day: f64,
    /// Attempts per day against the same month of the year before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year_over_year: Option<f64>,
    /// Number of anomalous (day, service) cells; absent where days are no longer kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomalous: Option<u64>,
    /// With the attempts of the anomalous cells left out; their days still count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_per_day_usual: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year_over_year_usual: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_sources: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MonthsAnswer {
    pub months: Vec<MonthRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HourRow {
    /// 0..=23, local.
    pub hour: u8,
    pub attempts: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HoursAnswer {
    pub hours: Vec<HourRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CountryRow {
    /// Two letters (ISO 3166-1); `ZZ` for addresses that the database does not hold.
    pub country: String,
    pub attempts: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_sources: Option<u64>,
    /// What `unique_sources` can be wrong by (two standard errors), where it is estimated from a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_sources_error: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CountriesAnswer {
    pub countries: Vec<CountryRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AnomalyRow {
    pub date: Date,
    pub protocol: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub attempts: u64,
    /// What the service usually has a day.
    pub expected: f64,
    /// Deviations from the usual, in robust standard deviations.
    pub score: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AnomaliesAnswer {
    pub anomalies: Vec<AnomalyRow>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventRow {
    pub time: String,
    pub class: String,
    pub verdict: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    pub source: String,
    pub destination: String,
    pub protocol: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    pub length: u16,
    /// TCP flags by name, such as `SYN`; absent for other protocols.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// The raw log line, or a line made of the packet's fields where there was none.
    pub line: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecentAnswer {
    pub events: Vec<EventRow>,
    /// Give it with the next question for what came since.
    pub cursor: u64,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BlockRow {
    pub address: String,
    pub since: String,
    pub expires: String,
    pub reason: String,
    pub rule: String,
    pub count: u64,
    pub window: String,
    pub evidence: Vec<String>,
    /// How often the source was blocked, this time included.
    pub times: u32,
    /// The first and the last attempt of those that led to the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// What was tried last, such as `tcp 22`.
    #[serde(default)]
    pub services: Vec<String>,
    /// Packets that the block stopped; absent where the kernel does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
    /// A dry run: the source would be blocked, but is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndedRow {
    pub address: String,
    pub since: String,
    pub ended: String,
    /// Why it ended: `expired`, `by hand`, ...
    pub because: String,
    pub reason: String,
    pub rule: String,
    pub count: u64,
    pub window: String,
    pub times: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BlocksAnswer {
    pub blocks: Vec<BlockRow>,
    /// Blocks that are over, the newest first; only the last ones are remembered. Absent with a `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<EndedRow>>,
    /// Give it with the next question for the blocks that follow; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<u64>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

/// The daemon's word about itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusAnswer {
    pub version: String,
    /// Seconds since the daemon started.
    pub uptime: u64,
    pub clock: ClockStatus,
    pub inputs: Vec<InputStatus>,
    /// The interfaces of the counted zones; absent where they are told by their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<Vec<String>>,
    /// The counters of our firewall rules; absent where they can't be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<Vec<CounterStatus>>,
    pub store: StoreStatus,
    pub memory: MemoryStatus,
    /// Absent in answers of an older daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub countries: Option<CountryStatus>,
    pub guard: GuardStatus,
    /// What `fwstat check` finds; absent where it is not asked of the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<FindingRow>>,
    /// What somebody should look at, a sentence each.
    #[serde(default)]
    pub warnings: Vec<String>,
    #[serde(flatten)]
    pub completeness: Completeness,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClockStatus {
    /// Whether the wall clock is known; events until then are labelled later.
    pub set: bool,
    pub timezone: String,
}

/// received = attempts and events of other classes + malformed + ignored + duplicates
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InputStatus {
    pub name: String,
    /// `running`, or what is in the way.
    pub state: String,
    pub received: u64,
    pub attempts: u64,
    pub malformed: u64,
    pub ignored: u64,
    pub duplicates: u64,
    /// Of the duplicates those that were not compared: in a flood more packets come than are remembered, and what
    /// the log then tells of an interface that NFLOG tells of, too, is taken for a copy.
    #[serde(default)]
    pub assumed_duplicates: u64,
    pub lost: u64,
    /// When the last packet came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}

/// The counter of a zone's rules beside what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CounterStatus {
    pub zone: String,
    /// As the rules count them, since they were loaded.
    pub packets: u64,
    /// As they came, since the daemon started.
    pub received: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoreStatus {
    pub path: String,
    pub bytes: u64,
    pub written_today: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_commit: Option<String>,
    /// `ok`, or why the statistics are in RAM only.
    pub state: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemoryStatus {
    /// In bytes; absent where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident: Option<u64>,
}

/// The country database.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CountryStatus {
    pub path: String,
    /// `ok`, `none` (there is no file) or `unusable` (then a warning says why).
    pub state: String,
    /// When its data was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Date>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FindingRow {
    /// `ok`, `note` (works, but not as well as it could) or `wrong` (does not work).
    pub kind: String,
    /// What it is, and what to do.
    pub text: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GuardStatus {
    pub enabled: bool,
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What became of the lines of an import or report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputCounts {
    /// lines = events + malformed + duplicates + skipped
    pub lines: u64,
    pub events: u64,
    pub malformed: u64,
    pub duplicates: u64,
    /// Lines that are no refused packet and no failed login.
    pub skipped: u64,
}
