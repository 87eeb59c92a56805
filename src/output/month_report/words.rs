//! The words of the monthly report, in English and Japanese.

use crate::query::answer::AnomalyRow;

use super::super::anomaly_table::service_name;
use super::super::cells::{count, mean, ratio};

/// A language of the month's report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    English,
    Japanese,
}

/// Every fixed word of the report.
pub struct Words {
    pub code: &'static str,
    pub title: &'static str,
    pub days: &'static str,
    pub hours: &'static str,
    pub services: &'static str,
    pub countries: &'static str,
    pub sources: &'static str,
    pub anomalies: &'static str,
    pub changed: &'static str,
    pub care: &'static str,
    pub blocked: &'static str,
    pub advice: &'static str,
    pub notes: &'static str,
    pub service: &'static str,
    pub attempts: &'static str,
    pub share: &'static str,
    pub different: &'static str,
    pub country: &'static str,
    pub address: &'static str,
    pub none: &'static str,
    pub no_countries: &'static str,
    pub unknown_country: &'static str,
    pub from: &'static str,
    pub registration: &'static str,
    pub forged: &'static str,
    pub masked: &'static str,
    pub incomplete: &'static str,
}

static ENGLISH: Words = Words {
    code: "en",
    title: "Refused connection attempts",
    days: "Day by day",
    hours: "Hours of the day",
    services: "What was tried",
    countries: "Countries",
    sources: "Sources",
    anomalies: "Out of line",
    changed: "What changed",
    care: "What needs care",
    blocked: "What was blocked",
    advice: "What it is, and what to do",
    notes: "Notes",
    service: "service",
    attempts: "attempts",
    share: "share",
    different: "different sources",
    country: "country",
    address: "address",
    none: "No service was out of line on any day.",
    no_countries: "Countries were not measured",
    unknown_country: "unknown",
    from: "Sources",
    registration: "A country is where an address range is registered, not who is behind an attack.",
    forged: "A packet's source address can be forged, above all with UDP.",
    masked: "Addresses are shortened.",
    incomplete: "Incomplete",
};

static JAPANESE: Words = Words {
    code: "ja",
    title: "拒否した接続の試み",
    days: "日ごと",
    hours: "時間帯ごと",
    services: "試されたもの",
    countries: "国",
    sources: "送信元",
    anomalies: "ふだんと違うもの",
    changed: "変わったこと",
    care: "注意が必要なこと",
    blocked: "ブロックしたもの",
    advice: "説明と対策",
    notes: "注記",
    service: "サービス",
    attempts: "回数",
    share: "割合",
    different: "送信元の数",
    country: "国",
    address: "アドレス",
    none: "ふだんと違う日はありませんでした。",
    no_countries: "国は測定されていません",
    unknown_country: "不明",
    from: "出典",
    registration: "国はアドレスの登録先で、攻撃者の所在地や正体を示すものではありません。",
    forged: "送信元アドレスは偽ることができ、特にUDPではよくあります。",
    masked: "アドレスは一部を伏せています。",
    incomplete: "不完全",
};

/// What the first paragraph is made of.
pub struct Headline {
    pub attempts: u64,
    pub days: u32,
    pub per_day: Option<f64>,
    pub sources: Option<u64>,
    pub month_over_month: Option<f64>,
    pub year_over_year: Option<f64>,
    /// Anomalous cells, and attempts per day without them.
    pub usual: Option<(u64, f64)>,
}

impl Language {
    pub fn from_name(name: &str) -> Option<Language> {
        match name {
            "en" => Some(Language::English),
            "ja" => Some(Language::Japanese),
            _ => None,
        }
    }

    /// Sentences of an answer, joined by `; `.
    pub fn sentences(self, english: &str) -> String {
        match self {
            Language::English => english.to_string(),
            Language::Japanese => super::reasons::in_japanese(english),
        }
    }

    pub fn words(self) -> &'static Words {
        match self {
            Language::English => &ENGLISH,
            Language::Japanese => &JAPANESE,
        }
    }

    pub fn pick(self, english: &'static str, japanese: &'static str) -> &'static str {
        match self {
            Language::English => english,
            Language::Japanese => japanese,
        }
    }

    /// The month's figures in sentences.
    pub fn headline(self, figures: &Headline) -> String {
        let Headline { attempts, days, per_day, sources, month_over_month, year_over_year, usual } = figures;
        let (attempts, per_day) = (count(*attempts), mean(per_day.unwrap_or(0.0)));
        let usual = usual.filter(|(cells, _)| *cells > 0);
        match self {
            Language::English => {
                let from = sources
                    .map_or(String::new(), |sources| format!(", from {} different sources", count(sources)));
                let mut text = format!(
                    "The firewall refused {attempts} connection attempts in {days} days: {per_day} a day{from}."
                );
                if let Some(ratio_to_month) = month_over_month {
                    text += &format!(" Against the month before: {} a day.", ratio(Some(*ratio_to_month)));
                }
                if let Some(ratio_to_year) = year_over_year {
                    text += &format!(" Against the same month a year ago: {}.", ratio(Some(*ratio_to_year)));
                }
                if let Some((cells, per_day)) = usual {
                    let cells = if cells == 1 {
                        "one anomalous service and day".to_string()
                    } else {
                        format!("{} anomalous services and days", count(cells))
                    };
                    text += &format!(" Without {cells}: {} a day.", mean(per_day));
                }
                text
            }
            Language::Japanese => {
                let from = sources.map_or(String::new(), |sources| format!("、送信元は{}個", count(sources)));
                let mut text = format!(
                    "ファイアウォールは{days}日間に{attempts}回の接続の試みを拒否しました（1日あたり{per_day}回{from}）。"
                );
                if let Some(ratio_to_month) = month_over_month {
                    text += &format!(
                        "1日あたりの前月比は{}倍です。",
                        ratio(Some(*ratio_to_month)).trim_start_matches('x')
                    );
                }
                if let Some(ratio_to_year) = year_over_year {
                    text += &format!(
                        "前年同月比は{}倍です。",
                        ratio(Some(*ratio_to_year)).trim_start_matches('x')
                    );
                }
                if let Some((cells, per_day)) = usual {
                    text += &format!(
                        "ふだんと違う{}件（サービスと日）を除くと1日あたり{}回です。",
                        count(cells),
                        mean(per_day)
                    );
                }
                text
            }
        }
    }

    pub fn anomaly(self, row: &AnomalyRow) -> String {
        match self {
            Language::English => super::super::anomaly_table::notice(row),
            Language::Japanese => {
                let usual = if row.expected < 0.5 {
                    "0回".to_string()
                } else {
                    format!("約{}回", mean(row.expected))
                };
                format!("{}：{}に{}回、ふだんは{usual}", service_name(row), row.date, count(row.attempts))
            }
        }
    }
}
