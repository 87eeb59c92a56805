//! Questions with their arguments, checked and with defaults.
//!
//! Takes the texts of arguments, gives a [`Question`], or a sentence that says what is wrong. Answers nothing.

use std::fmt;
use std::str::FromStr;

pub use super::answer::Topic;
use super::filter::Filter;
use crate::event::calendar::Date;
use crate::event::{Address, Class, services};

/// An address and the length of its network part in bits (0..=32 for IPv4, 0..=128 for IPv6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    pub network: Address,
    /// Bits of the network; of an IPv4 prefix 0 to 32.
    pub length: u8,
}

impl Prefix {
    /// Whether the address is within the prefix.
    pub fn contains(&self, address: Address) -> bool {
        address.is_within(self.network, self.length)
    }

    /// Whether the prefix is one whole address.
    pub fn is_single(&self) -> bool {
        self.length == if self.network.is_v4() { 32 } else { 128 }
    }

    /// Reads `192.0.2.0/24`, `2001:db8::/32` or a plain address.
    pub fn parse(text: &str) -> Result<Prefix, String> {
        let (address, length) =
            text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let ip: std::net::IpAddr =
            address.parse().map_err(|_| format!("'{text}' is no IPv4 or IPv6 address or prefix"))?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => most,
            Some(length) => match length.parse::<u8>() {
                Ok(length) if length <= most => length,
                _ => return Err(format!("'{text}': the prefix length must be a number from 0 to {most}")),
            },
        };
        let network = Address::from(ip);
        if !network.is_v4() || most == 32 {
            return Ok(Prefix { network, length });
        }
        // An IPv4-mapped IPv6 prefix: its length includes the 96 bits before the IPv4 address.
        let length = length.checked_sub(96);
        length
            .map(|length| Prefix { network, length })
            .ok_or_else(|| format!("'{text}': an IPv4-mapped prefix has at least 96 bits"))
    }
}

/// A single address without its length.
impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Prefix { network, length } = self;
        if self.is_single() { network.fmt(f) } else { write!(f, "{network}/{length}") }
    }
}

/// An ISO 3166 code of two letters, in upper case.
pub fn country(text: &str) -> Option<[u8; 2]> {
    let code: [u8; 2] = text.as_bytes().try_into().ok()?;
    code.iter().all(u8::is_ascii_alphabetic).then(|| code.map(|letter| letter.to_ascii_uppercase()))
}

/// Decimal digits only: no sign, no blanks.
pub(crate) fn number<N: FromStr>(text: &str) -> Option<N> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The value, or a sentence that says what the text should be.
pub(crate) fn checked<T>(text: &str, value: Option<T>, expected: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("'{text}' is not {expected}"))
}

/// A day.
pub(crate) fn date(text: &str) -> Result<Date, String> {
    checked(text, Date::parse(text), "a date (YYYY-MM-DD, such as 2020-04-06)")
}

/// Most rows of an answer.
pub const MAX_LIMIT: u32 = 1000;

/// Most days of `daily`.
pub const MAX_DAILY: i32 = 62;

/// A question with all its arguments, validated.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Question {
    pub topic: Topic,
    /// Inclusive; `None`: the answer's default range.
    pub from: Option<Date>,
    pub to: Option<Date>,
    pub class: Class,
    /// Events of all classes; for `recent` only, since counts of classes are never added up.
    pub every_class: bool,
    /// IANA's protocol number.
    pub protocol: Option<u8>,
    pub port: Option<u16>,
    pub source: Option<Prefix>,
    /// ISO 3166 two-letter code, upper case.
    pub country: Option<[u8; 2]>,
    /// Rows with fewer attempts are left out.
    pub min: u64,
    /// 1..=MAX_LIMIT
    pub limit: u32,
    /// Rows to skip, or the number of an event for `recent`, from the previous answer.
    pub cursor: u64,
    /// Services with their attempts on each day of the range.
    pub daily: bool,
    /// The day and hour that are not over yet, if known.
    pub running: Option<(Date, u8)>,
    /// Of events; empty for all.
    pub filter: Filter,
}

impl Question {
    /// Without filters; of the daemon's default range.
    pub fn new(topic: Topic) -> Question {
        Question { topic, limit: 10, ..Question::default() }
    }

    /// Sets the argument `name`; others than the question's are ignored. The error says what `text` should be.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        match name {
            "from" => self.from = Some(date(text)?),
            "to" => self.to = Some(date(text)?),
            "class" => {
                self.every_class = self.topic == Topic::Recent && text == "all";
                if !self.every_class {
                    let expected = "a class (attempt, backscatter, noise, egress or login)";
                    self.class = checked(text, Class::from_name(text), expected)?;
                }
            }
            "protocol" => {
                let expected = "a protocol (tcp, udp, icmp, ... or a number from 0 to 255)";
                self.protocol = Some(checked(text, services::protocol_number(text), expected)?);
            }
            "port" => self.port = Some(checked(text, number(text), "a port number (0 to 65535)")?),
            "source" => self.source = Some(Prefix::parse(text)?),
            "address" => {
                self.source = Some(Prefix::parse(text)?);
                if !self.source.is_some_and(|source| source.is_single()) {
                    return Err(format!("'{text}' is a prefix: give one address"));
                }
            }
            "country" => {
                let code = checked(text, country(text), "a country code (two letters, such as JP)")?;
                self.country = Some(code);
            }
            "min" => self.min = checked(text, number(text), "a whole number")?,
            "limit" => {
                let limit = number(text).filter(|limit| (1..=MAX_LIMIT).contains(limit));
                self.limit = checked(text, limit, &format!("a number of rows (1 to {MAX_LIMIT})"))?;
            }
            "daily" => {
                let flag: Option<u8> = number(text).filter(|flag| *flag <= 1);
                self.daily = checked(text, flag, "0 or 1")? == 1;
            }
            "filter" => self.filter = Filter::parse(text)?,
            "cursor" => self.cursor = checked(text, number(text), "a whole number")?,
            _ => {}
        }
        Ok(())
    }

    /// To be called when all arguments are set. `has_class`: the class is among them.
    pub fn check(&mut self, has_class: bool) -> Result<(), String> {
        // A filter can select classes itself.
        self.every_class |= !self.filter.is_empty() && !has_class;
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            return Err(format!("the range ends ({to}) before it begins ({from})"));
        }
        if self.topic == Topic::Source && self.source.is_none() {
            return Err(String::from("address: one IPv4 or IPv6 address is needed"));
        }
        Ok(())
    }
}
