//! The truth about a log: counted from what the generator meant, while it writes.
//!
//! As JSON (`Truth::to_json`), a service is `tcp/23`, `udp/1900` or `icmp`:
//!
//! * `from`, `to`: first and last day.
//! * `lines {lines, events, malformed, duplicates, skipped}`: lines = events + malformed + duplicates + skipped.
//! * `classes {attempt, backscatter, noise, egress, login}`: events of each class. All below is `attempt` only.
//! * `attempts`, `unique_sources`, `unique_sources_last_60_days`, `protocols {tcp, udp, icmp}`, `hours [24]`.
//! * `services {service: [attempts, different sources]}`: over everything, in the full form all of them, in the
//!   short form (`Truth::headline`) the 25 with the most attempts.
//! * `sources {address: attempts}`: the 20 with the most attempts over everything.
//! * `months [{month, days, attempts, attempts_per_day, year_over_year, attempts_per_day_usual,
//!   year_over_year_usual, unique_sources}]`: `_usual` is without the anomalous cell, whose day still counts.
//! * `anomaly {date, service, attempts, unique_sources, hours [24], heavy {address, attempts, hours [24]},
//!   sources {address: attempts}}`: the cell that is out of line; `sources` in the full form only.
//! * `days {date: {attempts, unique_sources, services {service: [attempts, different sources]},
//!   heavy_sources {address: attempts}}}`: `heavy_sources` have at least 1,000 attempts that day; the short form
//!   has only `[attempts, unique_sources]` for a day and `busy_services {date: [service, ...]}` for the services
//!   with at least 100 attempts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::calendar::Day;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Service {
    pub protocol: &'static str,
    /// 0 for ICMP.
    pub port: u16,
}

pub const fn tcp(port: u16) -> Service {
    Service { protocol: "tcp", port }
}

pub const fn udp(port: u16) -> Service {
    Service { protocol: "udp", port }
}

pub const ICMP: Service = Service { protocol: "icmp", port: 0 };
pub const SSDP: Service = udp(1900);
/// The month of which it is known who tried what.
pub const WATCHED: &str = "2020-03";

impl Service {
    pub fn name(self) -> String {
        match self.port {
            0 => self.protocol.to_string(),
            port => format!("{}/{port}", self.protocol),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    Attempt,
    Backscatter,
    Noise,
    Egress,
    Login,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Lines {
    pub lines: u64,
    pub events: u64,
    pub malformed: u64,
    pub duplicates: u64,
    pub skipped: u64,
}

/// Attempts and different sources.
pub type Counts = (u64, u64);

#[derive(Default)]
pub struct DayTruth {
    pub attempts: u64,
    pub unique_sources: u64,
    pub services: BTreeMap<Service, Counts>,
    /// Sources with at least 1,000 attempts.
    pub heavy_sources: BTreeMap<u32, u64>,
}

#[derive(Default)]
pub struct MonthTruth {
    pub days: u64,
    pub attempts: u64,
    pub anomalous_attempts: u64,
    pub unique_sources: u64,
}

#[derive(Default)]
pub struct Truth {
    pub lines: Lines,
    pub classes: [u64; 5],
    pub hours: [u64; 24],
    pub days: BTreeMap<Day, DayTruth>,
    pub months: BTreeMap<String, MonthTruth>,
    pub services: BTreeMap<Service, Counts>,
    /// The day of the anomaly on [`SSDP`], each source's attempts per hour there.
    pub anomaly: Option<Day>,
    pub anomaly_sources: BTreeMap<u32, [u64; 24]>,
    pub sources: HashMap<u32, Source>,
    /// Of [`WATCHED`], attempts of each source at each service.
    pub watched: HashMap<(Service, u32), u64>,
    today: Option<Day>,
    today_pairs: HashMap<Service, HashMap<u32, u64>>,
    month_sources: HashSet<u32>,
    pairs: HashSet<(Service, u32)>,
}

pub struct Source {
    pub attempts: u64,
    pub last: Day,
}

impl Truth {
    pub fn new(anomaly: Option<Day>) -> Truth {
        Truth { anomaly, ..Truth::default() }
    }

    pub fn begin(&mut self, day: Day) {
        self.finish();
        self.today = Some(day);
    }

    /// `count` lines of one class, each an event of its own.
    pub fn events(&mut self, class: Class, count: u64) {
        self.lines.lines += count;
        self.lines.events += count;
        self.classes[class as usize] += count;
    }

    pub fn attempts(&mut self, service: Service, source: u32, hour: usize, count: u64) {
        self.events(Class::Attempt, count);
        self.hours[hour] += count;
        *self.today_pairs.entry(service).or_default().entry(source).or_default() += count;
        if self.anomaly == self.today && service == SSDP {
            self.anomaly_sources.entry(source).or_default()[hour] += count;
        }
    }

    pub fn duplicate(&mut self) {
        self.lines.lines += 1;
        self.lines.duplicates += 1;
    }

    pub fn skipped(&mut self) {
        self.lines.lines += 1;
        self.lines.skipped += 1;
    }

    pub fn malformed(&mut self) {
        self.lines.lines += 1;
        self.lines.malformed += 1;
    }

    /// Close the day that is open, if any. Call it after the last line.
    pub fn finish(&mut self) {
        let Some(day) = self.today.take() else { return };
        let mut truth = DayTruth::default();
        let mut sources: HashMap<u32, u64> = HashMap::new();
        for (service, counts) in self.today_pairs.drain() {
            let attempts: u64 = counts.values().sum();
            truth.attempts += attempts;
            truth.services.insert(service, (attempts, counts.len() as u64));
            let overall = self.services.entry(service).or_default();
            overall.0 += attempts;
            for (source, count) in counts {
                *sources.entry(source).or_default() += count;
                if day.month() == WATCHED {
                    *self.watched.entry((service, source)).or_default() += count;
                }
                if self.pairs.insert((service, source)) {
                    overall.1 += 1;
                }
            }
        }
        truth.unique_sources = sources.len() as u64;
        if !self.months.contains_key(&day.month()) {
            self.month_sources.clear();
        }
        let month = self.months.entry(day.month()).or_default();
        for (source, count) in sources {
            self.month_sources.insert(source);
            let overall = self.sources.entry(source).or_insert(Source { attempts: 0, last: day });
            overall.attempts += count;
            overall.last = day;
            if count >= 1000 {
                truth.heavy_sources.insert(source, count);
            }
        }
        month.days += 1;
        month.attempts += truth.attempts;
        month.unique_sources = self.month_sources.len() as u64;
        if self.anomaly == Some(day) {
            month.anomalous_attempts += truth.services.get(&SSDP).map_or(0, |counts| counts.0);
        }
        self.days.insert(day, truth);
    }

    pub fn total_attempts(&self) -> u64 {
        self.classes[Class::Attempt as usize]
    }

    pub fn unique_sources_last(&self, days: i64) -> u64 {
        let last = self.days.keys().next_back().map_or(0, |day| day.0);
        self.sources.values().filter(|source| source.last.0 > last - days).count() as u64
    }

    /// The services with the most attempts, most first, ties by name's order.
    pub fn top_services(&self, limit: usize) -> Vec<(Service, Counts)> {
        let mut services: Vec<_> =
            self.services.iter().map(|(service, counts)| (*service, *counts)).collect();
        services.sort_by_key(|(service, counts)| (u64::MAX - counts.0, *service));
        services.truncate(limit);
        services
    }

    pub fn top_sources(&self, limit: usize) -> Vec<(u32, u64)> {
        let mut sources: Vec<_> =
            self.sources.iter().map(|(&address, source)| (address, source.attempts)).collect();
        sources.sort_by_key(|&(address, attempts)| (u64::MAX - attempts, address));
        sources.truncate(limit);
        sources
    }

    /// The anomaly's heaviest source and its hours.
    pub fn heavy(&self) -> Option<(u32, [u64; 24])> {
        let most = self.anomaly_sources.iter().max_by_key(|(_, hours)| hours.iter().sum::<u64>());
        most.map(|(&address, &hours)| (address, hours))
    }

    fn per_day(&self, month: &str, usual: bool) -> Option<f64> {
        let month = self.months.get(month)?;
        let left_out = if usual { month.anomalous_attempts } else { 0 };
        Some((month.attempts - left_out) as f64 / month.days as f64)
    }

    fn months_json(&self) -> Value {
        let rows = self.months.iter().map(|(name, month)| {
            let year: i64 = name[..4].parse().unwrap();
            let before = format!("{}{}", year - 1, &name[4..]);
            let mut row = json!({"month": name, "days": month.days, "attempts": month.attempts,
                "unique_sources": month.unique_sources});
            for (usual, suffix) in [(false, ""), (true, "_usual")] {
                let per_day = self.per_day(name, usual).unwrap();
                row[format!("attempts_per_day{suffix}")] = json!(per_day);
                if let Some(earlier) = self.per_day(&before, usual) {
                    row[format!("year_over_year{suffix}")] = json!(per_day / earlier);
                }
            }
            row
        });
        rows.collect()
    }

    fn anomaly_json(&self, full: bool) -> Value {
        let (Some(day), Some((heavy, hours))) = (self.anomaly, self.heavy()) else { return Value::Null };
        let sum = |hours: &[u64; 24]| hours.iter().sum::<u64>();
        let per_hour: Vec<u64> =
            (0..24).map(|hour| self.anomaly_sources.values().map(|hours| hours[hour]).sum()).collect();
        let mut row = json!({"date": day.to_string(), "service": SSDP.name(),
            "attempts": per_hour.iter().sum::<u64>(), "unique_sources": self.anomaly_sources.len(),
            "hours": per_hour,
            "heavy": {"address": text(heavy), "attempts": sum(&hours), "hours": hours}});
        if full {
            row["sources"] = self
                .anomaly_sources
                .iter()
                .map(|(&source, hours)| (text(source), json!(sum(hours))))
                .collect();
        }
        row
    }

    fn days_json(&self) -> Value {
        let rows = self.days.iter().map(|(date, day)| {
            let heavy: Map<_, _> =
                day.heavy_sources.iter().map(|(&source, &count)| (text(source), json!(count))).collect();
            let row = json!({"attempts": day.attempts, "unique_sources": day.unique_sources,
                "services": services_json(day.services.iter().map(|(&s, &c)| (s, c))), "heavy_sources": heavy});
            (date.to_string(), row)
        });
        rows.collect()
    }

    fn common_json(&self, full: bool) -> Value {
        let mut protocols: BTreeMap<&str, u64> = BTreeMap::new();
        for (service, counts) in &self.services {
            *protocols.entry(service.protocol).or_default() += counts.0;
        }
        let [attempt, backscatter, noise, egress, login] = self.classes;
        let Lines { lines, events, malformed, duplicates, skipped } = self.lines;
        let sources: Map<_, _> =
            self.top_sources(20).into_iter().map(|(address, count)| (text(address), json!(count))).collect();
        let services = self.top_services(if full { usize::MAX } else { 25 });
        json!({
            "from": self.days.keys().next().map(Day::to_string),
            "to": self.days.keys().next_back().map(Day::to_string),
            "lines": {"lines": lines, "events": events, "malformed": malformed, "duplicates": duplicates,
                "skipped": skipped},
            "classes": {"attempt": attempt, "backscatter": backscatter, "noise": noise, "egress": egress,
                "login": login},
            "attempts": attempt, "unique_sources": self.sources.len(),
            "unique_sources_last_60_days": self.unique_sources_last(60),
            "protocols": protocols, "hours": self.hours, "services": services_json(services.into_iter()),
            "sources": sources, "months": self.months_json(), "anomaly": self.anomaly_json(full),
        })
    }

    pub fn to_json(&self) -> Value {
        let mut all = self.common_json(true);
        all["days"] = self.days_json();
        all
    }

    /// The short form: small enough to be kept beside a log.
    pub fn headline(&self) -> Value {
        let mut all = self.common_json(false);
        all["days"] = self
            .days
            .iter()
            .map(|(date, day)| (date.to_string(), json!([day.attempts, day.unique_sources])))
            .collect();
        let busy = self.days.iter().map(|(date, day)| {
            let names =
                day.services.iter().filter(|(_, counts)| counts.0 >= 100).map(|(s, _)| json!(s.name()));
            (date.to_string(), names.collect::<Value>())
        });
        all["busy_services"] = busy.filter(|(_, names)| names != &json!([])).collect();
        all
    }
}

fn services_json(services: impl Iterator<Item = (Service, Counts)>) -> Value {
    services.map(|(service, (attempts, sources))| (service.name(), json!([attempts, sources]))).collect()
}

pub fn text(address: u32) -> String {
    Ipv4Addr::from(address).to_string()
}
